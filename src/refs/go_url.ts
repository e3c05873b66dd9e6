import { isIPv6 } from "node:net";

/** A URL as Go's `net/url` (1.26) reads it; each part holds bytes as characters 0 to 255. */
export interface GoUrl {
  /** In lower case; empty where there is none. */
  readonly scheme: string;
  /** What follows the scheme where no slash does. */
  readonly opaque?: string;
  readonly user?: { readonly name: string; readonly password?: string };
  /** With its port. */
  readonly host: string;
  /** `scheme:/path`, without slashes for the host. */
  readonly omitsHost: boolean;
  /** As written, still escaped. */
  readonly path: string;
  /** Absent where there is no question mark. */
  readonly query?: string;
  /** As written, still escaped; empty where there is none. */
  readonly fragment: string;
}

/** The longest text that is looked at. */
const MAX_TEXT = 4096;

/** The characters beside letters and digits that each part holds unescaped (shouldEscape). */
const UNESCAPED = {
  path: "-_.~$&+,/:;=@",
  fragment: "-_.~$&+,/:;=?@!()*",
  user: "-_.~$&+,;=",
  host: "-_.~!$&'()*+,;=:[]<>\"",
  zone: "-_.~!$&'()*+,;=:[]<>\"",
} as const;

type Part = keyof typeof UNESCAPED;

/**
 * Reads a URL as Go's `url.Parse` does; `undefined` where that gives an error. JavaScript's own `URL`
 * follows another standard: it knows special schemes, changes hosts and paths, and reads much that Go
 * refuses.
 */
export function parseGoUrl(text: string): GoUrl | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const [raw, fragment] = cut(toBytes(text), "#");
  if (fragment !== undefined && unescape(fragment, "fragment") === undefined) return undefined;
  const url = parseWithoutFragment(raw);
  return url === undefined ? undefined : { ...url, fragment: fragment ?? "" };
}

/** The host without its port and brackets (`URL.Hostname`). */
export function hostnameOf({ host }: GoUrl): string {
  const name = host.replace(/:[0-9]*$/, "");
  return name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
}

/** The URL as Go writes it (`URL.String`). */
export function formatGoUrl(url: GoUrl): string {
  const { scheme, opaque, query, fragment } = url;
  const start = (scheme === "" ? "" : `${scheme}:`) + (opaque || authorityOf(url));
  const path = opaque ? "" : encoded(url.path, "path");
  // RFC 3986, 4.2: such a path would be taken for a scheme.
  const dot = start === "" && cut(path, "/")[0].includes(":") ? "./" : "";
  const end = (query === undefined ? "" : `?${query}`) +
    (fragment === "" ? "" : `#${encoded(fragment, "fragment")}`);
  return fromBytes(start + dot + path + end);
}

function parseWithoutFragment(raw: string): Omit<GoUrl, "fragment"> | undefined {
  const none = { scheme: "", host: "", omitsHost: false };
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(raw) || raw.startsWith(":")) return undefined;
  if (raw === "*") return { ...none, path: "*" };
  const found = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(raw)?.[1];
  const scheme = (found ?? "").toLowerCase();
  const [rest, given] = cut(found === undefined ? raw : raw.slice(found.length + 1), "?");
  const query = given === undefined ? {} : { query: given };
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...none, scheme, opaque: rest, path: "", ...query };
    if (cut(rest, "/")[0].includes(":")) return undefined;
  }
  const hasAuthority = rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"));
  const slash = hasAuthority ? rest.indexOf("/", 2) : 0;
  const path = slash < 0 ? "" : rest.slice(slash);
  const authority = hasAuthority
    ? parseAuthority(scheme, slash < 0 ? rest.slice(2) : rest.slice(2, slash))
    : { host: "" };
  if (authority === undefined || unescape(path, "path") === undefined) return undefined;
  const omitsHost = !hasAuthority && scheme !== "" && rest.startsWith("/");
  return { scheme, ...authority, omitsHost, path, ...query };
}

function parseAuthority(
  scheme: string,
  authority: string,
): Pick<GoUrl, "user" | "host"> | undefined {
  const at = authority.lastIndexOf("@");
  const host = parseHost(scheme, authority.slice(at + 1));
  if (host === undefined || at < 0) return host === undefined ? undefined : { host };
  const userinfo = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(userinfo)) return undefined;
  const [before, after] = cut(userinfo, ":");
  const name = unescape(before, "user");
  if (name === undefined) return undefined;
  if (after === undefined) return { user: { name }, host };
  const password = unescape(after, "user");
  return password === undefined ? undefined : { user: { name, password }, host };
}

function parseHost(scheme: string, text: string): string | undefined {
  const open = text.lastIndexOf("[");
  if (open > 0) return undefined;
  if (open === 0) return parseBracketed(text);
  const first = text.indexOf(":");
  // Go tolerates lists of hosts with ports in schemes of databases.
  const colon = /^https?$/.test(scheme) ? first : text.lastIndexOf(":");
  if (first >= 0 && !/^:[0-9]*$/.test(text.slice(colon))) return undefined;
  return unescape(text, "host");
}

function parseBracketed(text: string): string | undefined {
  const close = text.lastIndexOf("]");
  const port = text.slice(close + 1);
  if (close < 0 || !/^(?::[0-9]*)?$/.test(port)) return undefined;
  const inside = text.slice(1, close);
  const percent = inside.indexOf("%25");
  const address = unescape(percent < 0 ? inside : inside.slice(0, percent), "host");
  const zone = percent < 0 ? "" : unescape(inside.slice(percent), "zone");
  if (address === undefined || zone === undefined || zone === "%") return undefined;
  return isIPv6(address) ? `[${address}${zone}]${port}` : undefined;
}

function authorityOf({ scheme, user, host, omitsHost, path }: GoUrl): string {
  if (scheme === "" && host === "" && user === undefined) return "";
  if (omitsHost && host === "" && user === undefined) return "";
  const slashes = host !== "" || path !== "" || user !== undefined ? "//" : "";
  const password = user?.password === undefined ? "" : `:${escape(user.password, "user")}`;
  const userinfo = user === undefined ? "" : `${escape(user.name, "user")}${password}@`;
  return slashes + userinfo + escape(host, "host");
}

/** As written where that is a proper escaping, else escaped anew (EscapedPath, validEncoded). */
function encoded(written: string, part: "path" | "fragment"): string {
  const isProper = [...written].every((character) =>
    "!$&'()*+,;=:@[]%".includes(character) || isUnescaped(character, part)
  );
  return isProper ? written : escape(unescape(written, part) ?? "", part);
}

function isUnescaped(character: string, part: Part): boolean {
  return /^[A-Za-z0-9]$/.test(character) || UNESCAPED[part].includes(character);
}

function escape(bytes: string, part: Part): string {
  return bytes.replaceAll(
    /[^A-Za-z0-9]/g,
    (byte) => isUnescaped(byte, part) ? byte : `%${hexOf(byte)}`,
  );
}

function hexOf(byte: string): string {
  return byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0");
}

/** `undefined` where Go's unescape gives an error. */
function unescape(text: string, part: Part): string | undefined {
  const isHost = part === "host" || part === "zone";
  let isWrong = false;
  const plain = text.replaceAll(/%(..?)?|[^]/g, (found) => {
    if (found.startsWith("%")) {
      const byte = /^%[0-9A-Fa-f]{2}$/.test(found) ? parseInt(found.slice(1), 16) : undefined;
      if (byte === undefined) isWrong = true;
      else if (found !== "%25" && isHost) isWrong ||= !mayBeEscaped(byte, part);
      return String.fromCharCode(byte ?? 0);
    }
    // Only ASCII is looked at: hosts in other letters are tolerated.
    if (isHost && found < "\x80" && !isUnescaped(found, part)) isWrong = true;
    return found;
  });
  return isWrong ? undefined : plain;
}

/** In hosts only bytes beyond ASCII, in zones what could be written plainly, and spaces. */
function mayBeEscaped(byte: number, part: Part): boolean {
  if (part === "host") return byte >= 0x80;
  return byte === 0x20 || isUnescaped(String.fromCharCode(byte), "host");
}

function cut(text: string, separator: string): [before: string, after: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function toBytes(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

function fromBytes(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}
