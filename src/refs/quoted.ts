/** How much of a refused text an error shows, in characters. */
const SHOWN = 80;

/** A text for an error message: in quotes, and its beginning alone when it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}
