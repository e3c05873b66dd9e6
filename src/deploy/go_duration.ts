/** Milliseconds in each unit of Go's durations. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "µs": 1e-3,
  "μs": 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/**
 * A duration as Go writes it (`1h30m`, time.ParseDuration), in milliseconds; a number alone counts
 * nanoseconds, as in Zarf's own config files (spf13/cast ToDuration).
 *
 * @returns undefined when it is none.
 */
export function parseGoDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1e-6;
  PART.lastIndex = 0;
  let sum = 0;
  while (PART.lastIndex < text.length) {
    const part = PART.exec(text);
    if (part === null) return undefined;
    sum += Number(part[1]) * (UNITS[part[2] ?? ""] ?? NaN);
  }
  return text === "" ? undefined : sum;
}
