/**
 * The look of the monitor. It comes with the component, so users have nothing to import, and is an adopted style sheet, so
 * it works under a policy that forbids inline styles.
 */

const light = `
  --spm-text: #161a21; --spm-muted: #586171; --spm-page: #f5f6f8; --spm-card: #ffffff; --spm-line: #dfe3e9; --spm-grid: #e9ecf0;
  --spm-accent: #2459d3; --spm-on-accent: #ffffff; --spm-hover: #eef1f6; --spm-shadow: 0 1px 2px #10182812;
  --spm-active: #2f6bea; --spm-active-area: #5f8ff2; --spm-idle: #9fb3d1; --spm-idle-area: #d5dfee;
  --spm-connecting: #b07908; --spm-connecting-area: #f0c65c; --spm-limit: #8790a0;
  --spm-read: #2f6bea; --spm-write: #b04a99; --spm-low: #17897b; --spm-middle: #b87608; --spm-high: #c23a31; --spm-bad-line: #c23a31;
  --spm-good: #116b45; --spm-good-tint: #dcf3e7; --spm-warn: #7c4e00; --spm-warn-tint: #fdf0d2; --spm-bad: #a5281f;
  --spm-bad-tint: #fce4e2; --spm-plain: #434b58; --spm-plain-tint: #eceff3;
`

const dark = `
  --spm-text: #e7eaf0; --spm-muted: #9ba5b4; --spm-page: #0e1116; --spm-card: #171b22; --spm-line: #2a313c; --spm-grid: #232a34;
  --spm-accent: #84abff; --spm-on-accent: #0b1020; --spm-hover: #1f2530; --spm-shadow: none;
  --spm-active: #78a3ff; --spm-active-area: #3f6fd6; --spm-idle: #5f7393; --spm-idle-area: #2c3950;
  --spm-connecting: #e6b34c; --spm-connecting-area: #a67a1f; --spm-limit: #7c8797;
  --spm-read: #78a3ff; --spm-write: #e08acb; --spm-low: #4fc7b5; --spm-middle: #e6b34c; --spm-high: #ff8078; --spm-bad-line: #ff8078;
  --spm-good: #74dba9; --spm-good-tint: #143526; --spm-warn: #f3c76b; --spm-warn-tint: #3a2c0d; --spm-bad: #ff9a93;
  --spm-bad-tint: #44191a; --spm-plain: #c3cad5; --spm-plain-tint: #262d37;
`

const frame = `
.spm { ${light} color-scheme: light dark; color: var(--spm-text); font: 14px/1.45 system-ui, sans-serif; text-align: start; }
@media (prefers-color-scheme: dark) { .spm { ${dark} } }
.spm *, .spm *::before { box-sizing: border-box; }
:where(.spm) :is(h2, h3, h4, p, dl, dd, ul, ol, figure) { margin: 0; padding: 0; }
.spm ul, .spm ol { list-style: none; }
.spm h2 { font-size: 20px; font-weight: 650; letter-spacing: -0.01em; }
.spm h3 { font-size: 14px; font-weight: 620; }
.spm h4 { margin-top: 16px; font-size: 12px; font-weight: 600; color: var(--spm-muted); }
.spm-head { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; min-height: 36px; margin-bottom: 16px; }
.spm-spacer { flex: 1; }
.spm-body { display: grid; gap: 16px; }
.spm-stale { filter: grayscale(0.85); }
.spm-card { background: var(--spm-card); border: 1px solid var(--spm-line); border-radius: 10px; padding: 14px 16px; box-shadow: var(--spm-shadow); min-width: 0; }
.spm-card-head { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: 8px; min-height: 32px; margin-bottom: 8px; }
.spm-muted { color: var(--spm-muted); }
.spm-number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.spm-code { font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.spm-wrap { overflow-wrap: anywhere; }
.spm-bad { color: var(--spm-bad); }
.spm-empty { padding: 20px 8px; color: var(--spm-muted); text-align: center; }
.spm-unseen { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.spm-notice:not(:empty) { margin-top: 16px; color: var(--spm-muted); }
.spm :focus-visible, .spm-chosen:has(:focus-visible) { outline: 2px solid var(--spm-accent); outline-offset: 2px; }
`

const pieces = `
.spm-badge, .spm-tag { display: inline-block; border-radius: 999px; padding: 2px 10px; font-size: 12px; font-weight: 600; white-space: nowrap; }
.spm-badge::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 6px; border-radius: 50%; background: currentColor; }
.spm-badge { text-transform: capitalize; }
.spm-badge-healthy, .spm-tag-good { color: var(--spm-good); background: var(--spm-good-tint); }
.spm-badge-degraded, .spm-tag-warn { color: var(--spm-warn); background: var(--spm-warn-tint); }
.spm-badge-unhealthy, .spm-tag-bad { color: var(--spm-bad); background: var(--spm-bad-tint); }
.spm-badge-unknown, .spm-tag-plain { color: var(--spm-plain); background: var(--spm-plain-tint); }
.spm-tag { border-radius: 6px; padding: 1px 7px; font-weight: 550; }
.spm-link { color: var(--spm-muted); font-size: 13px; }
.spm-link-live::before { content: ""; display: inline-block; width: 7px; height: 7px; margin-right: 6px; border-radius: 50%; background: var(--spm-low); }
.spm-link-lost { color: var(--spm-bad); font-weight: 600; }
@media (prefers-reduced-motion: no-preference) { .spm-link-live::before { animation: spm-beat 2s ease-in-out infinite; } }
@keyframes spm-beat { 50% { opacity: 0.35; } }
.spm-button { font: inherit; font-weight: 550; color: var(--spm-text); background: var(--spm-card); border: 1px solid var(--spm-line); border-radius: 8px; padding: 6px 14px; min-height: 36px; cursor: pointer; }
.spm-button:hover:not(:disabled) { background: var(--spm-hover); }
.spm-button:disabled { color: var(--spm-muted); cursor: not-allowed; }
.spm-primary, .spm-primary:hover:not(:disabled) { color: var(--spm-on-accent); background: var(--spm-accent); border-color: var(--spm-accent); }
.spm-primary:hover { filter: brightness(1.08); }
.spm-actions { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 8px; }
.spm-dialog { color: var(--spm-text); background: var(--spm-card); border: 1px solid var(--spm-line); border-radius: 12px; padding: 20px; width: min(26rem, calc(100vw - 32px)); box-shadow: 0 12px 40px #0004; }
.spm-dialog::backdrop { background: #0a0d1299; }
.spm-dialog p { margin: 8px 0 20px; }
.spm-banner { border-radius: 10px; padding: 12px 16px; margin-bottom: 16px; border-left: 6px solid currentColor; }
.spm-headline { font-size: 18px; font-weight: 650; letter-spacing: -0.01em; }
.spm-figures { overflow-wrap: anywhere; }
.spm ul.spm-steps { margin-top: 6px; padding-inline-start: 18px; list-style: disc; color: var(--spm-text); overflow-wrap: anywhere; }
.spm-steps a { color: inherit; font-weight: 600; }
.spm-banner-info { color: var(--spm-good); background: var(--spm-good-tint); }
.spm-banner-warn { color: var(--spm-warn); background: var(--spm-warn-tint); }
.spm-banner-bad { color: var(--spm-bad); background: var(--spm-bad-tint); }
.spm-firing:empty { display: none; }
.spm-firing { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 8px; }
.spm-alert { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; background: var(--spm-card); border: 1px solid var(--spm-line); border-left: 4px solid var(--spm-middle); border-radius: 8px; padding: 10px 14px; }
.spm-alert-critical { border-left-color: var(--spm-high); }
.spm-alert-info { border-left-color: var(--spm-accent); }
`

const figures = `
.spm-tiles { display: grid; grid-template-columns: repeat(7, minmax(0, 1fr)); gap: 12px; }
.spm-tile dt { color: var(--spm-muted); font-size: 12px; font-weight: 550; }
.spm-value { display: block; margin: 2px 0; font-size: 22px; font-weight: 640; letter-spacing: -0.02em; line-height: 1.25; font-variant-numeric: tabular-nums; white-space: nowrap; }
.spm-note { display: block; color: var(--spm-muted); font-size: 12px; font-variant-numeric: tabular-nums; }
.spm-tile-warn .spm-value { color: var(--spm-warn); }
.spm-tile-bad .spm-value { color: var(--spm-bad); }
.spm-charts { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; }
.spm-chart { padding: 12px 12px 6px; }
.spm-chart figcaption { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 2px 16px; margin: 0 4px 8px; }
.spm-chart-title { font-weight: 620; }
.spm-legend { display: flex; flex-wrap: wrap; gap: 2px 12px; color: var(--spm-muted); font-size: 12px; }
.spm-legend b { display: inline-block; min-width: 2ch; color: var(--spm-text); font-weight: 600; font-variant-numeric: tabular-nums; }
.spm-swatch { display: inline-block; width: 10px; height: 10px; margin-right: 5px; border-radius: 3px; vertical-align: -1px; background: var(--spm-limit); }
.spm-swatch-active { background: var(--spm-active); } .spm-swatch-idle { background: var(--spm-idle); }
.spm-swatch-connecting { background: var(--spm-connecting); }
.spm-swatch-read { background: var(--spm-read); } .spm-swatch-write { background: var(--spm-write); }
.spm-swatch-low { background: var(--spm-low); } .spm-swatch-middle { background: var(--spm-middle); }
.spm-swatch-high { background: var(--spm-high); } .spm-swatch-bad-line { background: var(--spm-bad-line); }
.spm-dashed { width: 12px; height: 0; border-radius: 0; background: none; border-top: 2px dashed var(--spm-limit); vertical-align: 3px; }
.spm-plot { height: 148px; overflow: hidden; }
.spm-plot .uplot { width: 100%; }
.spm-plot .u-wrap { position: relative; user-select: none; }
.spm-plot .u-over { cursor: crosshair; }
.spm-plot .u-over, .spm-plot .u-under, .spm-plot .u-axis { position: absolute; }
.spm-plot canvas { display: block; width: 100%; height: 100%; }
.spm-plot .u-cursor-x { position: absolute; left: 0; top: 0; height: 100%; border-right: 1px dashed var(--spm-muted); pointer-events: none; }
.spm-plot .u-cursor-pt { position: absolute; left: 0; top: 0; border: 0 solid; border-radius: 50%; background-clip: padding-box !important; pointer-events: none; }
.spm-plot .u-select, .spm-plot .u-off { display: none; }
`

const lists = `
.spm-columns { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); gap: 16px; align-items: start; }
.spm-scroll { overflow: auto; max-height: 380px; margin: 0 -16px; padding: 0 16px; }
.spm table { width: 100%; border-collapse: collapse; }
.spm th { position: sticky; top: 0; background: var(--spm-card); color: var(--spm-muted); font-size: 12px; font-weight: 550; text-align: start; white-space: nowrap; }
.spm th, .spm td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--spm-grid); vertical-align: baseline; }
.spm th:last-child, .spm td:last-child { padding-right: 0; }
.spm tbody tr:last-child td { border-bottom: 0; }
.spm th.spm-number { text-align: end; } .spm td.spm-number { text-align: end; }
.spm td.spm-number:first-child { text-align: start; }
.spm td.spm-wrap { min-width: 11rem; } .spm td.spm-code.spm-wrap { min-width: 16rem; }
.spm-select { color: var(--spm-muted); font-size: 13px; }
.spm select, .spm-token input { font: inherit; color: var(--spm-text); background: var(--spm-card); border: 1px solid var(--spm-limit); border-radius: 8px; min-height: 32px; padding: 4px 8px; }
.spm-segments { display: inline-flex; margin: 0; padding: 2px; border: 0; border-radius: 8px; background: var(--spm-plain-tint); }
.spm-segments label { position: relative; padding: 4px 10px; border-radius: 6px; color: var(--spm-plain); font-size: 13px; cursor: pointer; }
.spm-segments .spm-chosen { background: var(--spm-card); color: var(--spm-text); font-weight: 600; box-shadow: var(--spm-shadow); }
.spm ul.spm-pending { padding: 6px 16px; }
.spm-slide { display: flex; flex: 1 1 12rem; align-items: center; gap: 8px; }
.spm-slide input { flex: 1; min-width: 0; accent-color: var(--spm-accent); }
.spm-moment .spm-columns { margin-top: 4px; }
.spm-plain-button { font: inherit; color: var(--spm-text); background: none; border: 0; padding: 2px 0; text-decoration: underline; cursor: pointer; }
.spm-slow li, .spm-told li, .spm-pending li { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 10px; padding: 5px 0; }
.spm-slow b { min-width: 5.5em; }
.spm-told li, .spm-pending li { flex-wrap: nowrap; }
.spm-token { display: grid; gap: 8px; max-width: 40rem; margin-bottom: 16px; }
.spm-token .spm-actions { justify-content: flex-start; }
.spm-token input { flex: 1 1 14rem; min-width: 0; }
.spm-token label { font-weight: 550; }
.spm-facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px 24px; }
.spm-facts dt { color: var(--spm-muted); font-size: 12px; } .spm-facts dd { font-weight: 600; font-variant-numeric: tabular-nums; }
@media (max-width: 1080px) {
  .spm-tiles { grid-template-columns: repeat(4, minmax(0, 1fr)); } .spm-charts { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .spm-columns { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 720px) { .spm-charts { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 520px) {
  .spm-tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .spm-tile { padding: 10px 12px; } .spm-value { font-size: 19px; }
  .spm-tile:last-child { grid-column: span 2; }
  .spm-told li, .spm-pending li { flex-wrap: wrap; }
  .spm-scroll { max-height: none; }
  .spm thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .spm tbody tr { display: flex; flex-wrap: wrap; gap: 2px 14px; padding: 8px 0; border-bottom: 1px solid var(--spm-grid); }
  .spm tbody tr:last-child { border-bottom: 0; }
  .spm tbody td { padding: 0; border: 0; }
  .spm td.spm-wrap, .spm td.spm-code.spm-wrap { flex: 1 0 100%; min-width: 0; }
  .spm td.spm-none { display: none; }
  .spm td[data-label]::before { content: attr(data-label) " "; color: var(--spm-muted); font-size: 12px; }
}
`

let sheet: CSSStyleSheet | undefined

/** Once for each document, however many monitors it has. */
export const adopt = (document: Document): void => {
  if (sheet === undefined) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(frame + pieces + figures + lists)
  }
  if (!document.adoptedStyleSheets.includes(sheet)) {
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
  }
}
