/**
 * A `Database` in the form in which `supabase gen types` writes it (CLI 3.1.0), by hand: `__InternalSupabase`, keys of every
 * type, enums, composite types, views, functions that give rows of tables, computed columns and one-to-one relations.
 */

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Array<Json>

export interface Database {
  __InternalSupabase: {
    PostgrestVersion: "14.1"
  }
  graphql_public: {
    Tables: { [_ in never]: never }
    Views: { [_ in never]: never }
    Functions: {
      graphql: {
        Args: { extensions?: Json; operationName?: string; query?: string; variables?: Json }
        Returns: Json
      }
    }
    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }
  public: {
    Tables: {
      accounts: {
        Row: {
          balance: number
          created_at: string
          id: number
          owner_id: string
          plan: Database["public"]["Enums"]["plan"]
          previous_plan: Database["public"]["Enums"]["plan"] | null
          settings: Json
          tags: Array<string>
          verified: boolean
          display_name: string | null
        }
        Insert: {
          balance?: number
          created_at?: string
          id?: never
          owner_id: string
          plan?: Database["public"]["Enums"]["plan"]
          previous_plan?: Database["public"]["Enums"]["plan"] | null
          settings?: Json
          tags?: Array<string>
          verified?: boolean
        }
        Update: {
          balance?: number
          created_at?: string
          id?: never
          owner_id?: string
          plan?: Database["public"]["Enums"]["plan"]
          previous_plan?: Database["public"]["Enums"]["plan"] | null
          settings?: Json
          tags?: Array<string>
          verified?: boolean
        }
        Relationships: []
        ComputedFields: never
      }
      entries: {
        Row: {
          account_id: number
          amount: number
          id: number
          plan: Database["public"]["Enums"]["plan"]
          reversal_of: number | null
        }
        Insert: {
          account_id: number
          amount: number
          id?: number
          plan: Database["public"]["Enums"]["plan"]
          reversal_of?: number | null
        }
        Update: {
          account_id?: number
          amount?: number
          id?: number
          plan?: Database["public"]["Enums"]["plan"]
          reversal_of?: number | null
        }
        Relationships: [
          {
            foreignKeyName: "entries_account_id_fkey"
            columns: ["account_id"]
            isOneToOne: false
            referencedRelation: "accounts"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "entries_account_id_fkey"
            columns: ["account_id"]
            isOneToOne: false
            referencedRelation: "rich_accounts"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "entries_reversal_of_fkey"
            columns: ["reversal_of"]
            isOneToOne: false
            referencedRelation: "entries"
            referencedColumns: ["id"]
          }
        ]
      }
      profiles: {
        Row: { account_id: number; bio: string | null; id: string }
        Insert: { account_id: number; bio?: string | null; id?: string }
        Update: { account_id?: number; bio?: string | null; id?: string }
        Relationships: [
          {
            foreignKeyName: "profiles_account_id_fkey"
            columns: ["account_id"]
            isOneToOne: true
            referencedRelation: "accounts"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "profiles_account_id_fkey"
            columns: ["account_id"]
            isOneToOne: true
            referencedRelation: "rich_accounts"
            referencedColumns: ["id"]
          }
        ]
      }
    }
    Views: {
      rich_accounts: {
        Row: { balance: number | null; id: number | null; owner_id: string | null }
        Insert: { balance?: number | null; id?: number | null; owner_id?: string | null }
        Update: { balance?: number | null; id?: number | null; owner_id?: string | null }
        Relationships: []
      }
      totals: {
        Row: { account_id: number | null; total: number | null }
        Relationships: []
      }
    }
    Functions: {
      accounts_of: {
        Args: { owner: string }
        Returns: Array<Database["public"]["Tables"]["accounts"]["Row"]>
        SetofOptions: { from: "*"; to: "accounts"; isOneToOne: false; isSetofReturn: true }
      }
      display_name: {
        Args: { "": Database["public"]["Tables"]["accounts"]["Row"] }
        Returns: {
          error: true
        } & "the function public.display_name with parameter or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache"
      }
      main_account: {
        Args: { "": Database["public"]["Tables"]["profiles"]["Row"] }
        Returns: Database["public"]["Tables"]["accounts"]["Row"]
        SetofOptions: { from: "profiles"; to: "accounts"; isOneToOne: true; isSetofReturn: true }
      }
      now_there: { Args: never; Returns: string }
      transfer: { Args: { amount: number; source: number; target: number }; Returns: undefined }
    }
    Enums: {
      plan: "free" | "pro" | "team"
    }
    CompositeTypes: {
      money: { amount: number | null; currency: string | null }
    }
  }
}
