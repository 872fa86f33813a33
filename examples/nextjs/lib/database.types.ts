/** As `npx supabase gen types typescript` writes it. */
export type Database = {
  public: {
    Tables: {
      orders: {
        Row: { buyer_id: string; id: string; status: string; total: number }
        Insert: { buyer_id: string; id?: string; status?: string; total: number }
        Update: { status?: string; total?: number }
        Relationships: []
      }
      products: {
        Row: { id: string; title: string }
        Insert: { id?: string; title: string }
        Update: { title?: string }
        Relationships: []
      }
      shops: {
        Row: { id: string; name: string }
        Insert: { id?: string; name: string }
        Update: { name?: string }
        Relationships: []
      }
    }
    Views: { [_ in never]: never }
    Functions: { [_ in never]: never }
  }
}
