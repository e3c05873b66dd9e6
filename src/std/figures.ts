/** Characters between the brackets of a bar. */
const BAR_WIDTH = 24;

/** A part of a whole, 0 to 1: `[########----------------]  33%`. */
export function renderBar(fraction: number): string {
  const part = Math.min(Math.max(fraction, 0), 1);
  const full = Math.floor(part * BAR_WIDTH);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${"#".repeat(full)}${"-".repeat(BAR_WIDTH - full)}] ${percent}%`;
}

/** Milliseconds: `0.4 s`, `12.3 s`, `2 min 05 s`. */
export function renderDuration(ms: number): string {
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** `2.4 MB`: powers of 1000, as disks and networks are sold. */
export function renderBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  let value = bytes;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1_000;
    at++;
  }
  return `${at === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[at]}`;
}
