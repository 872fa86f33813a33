/**
 * @since 0.1.0
 * @category models
 */
export interface TransactionOptions {
  /**
   * What makes two arrivals the same transaction, for as long as a day. Without it each call has a key of its own, so
   * that only its retries are one; give one where the caller itself may come twice: a message's id, a form's token.
   * Private to the role and the user who sends it. Another transaction under the same key is refused. What only reads is
   * read again; of what gave more than 32 KiB a second arrival hears that it was executed (`RESULT_GONE`).
   */
  readonly idempotencyKey?: string | undefined
  /**
   * Numbers that JavaScript would round come as texts, with all their digits, in the results of all steps. Columns of `Values` in
   * a table's steps have theirs without it.
   */
  readonly exact?: boolean | undefined
}
