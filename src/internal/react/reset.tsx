import { type ReactNode, useId, useRef } from "react"

/** Asks for confirmation before it does anything. */
export const ResetButton = ({
  disabled,
  onReset
}: {
  readonly disabled: boolean
  readonly onReset: () => void
}): ReactNode => {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  const text = useId()
  const close = () => dialog.current?.close()
  return (
    <>
      <button type="button" className="spm-button" disabled={disabled} onClick={() => dialog.current?.showModal()}>
        Reset pools…
      </button>
      <dialog ref={dialog} className="spm-dialog" aria-labelledby={heading} aria-describedby={text}>
        <h3 id={heading}>Replace every connection?</h3>
        <p id={text}>Idle connections close at once, busy ones when they are returned. No operation fails.</p>
        <div className="spm-actions">
          <button type="button" className="spm-button" onClick={close}>
            Cancel
          </button>
          <button
            type="button"
            className="spm-button spm-primary"
            onClick={() => {
              close()
              onReset()
            }}
          >
            Reset pools
          </button>
        </div>
      </dialog>
    </>
  )
}
