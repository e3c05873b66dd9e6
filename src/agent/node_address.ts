/**
 * An IP address in one form, so that two of the same are equal as text.
 *
 * @returns undefined for what is none
 */
export function canonicalAddress(text: string): string | undefined {
  if (IPV4.test(text)) return text;
  if (!IPV6.test(text)) return undefined;
  try {
    return new URL(`http://[${text}]`).hostname.slice(1, -1);
  } catch {
    return undefined;
  }
}

const OCTET = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`);
/** What is left to say of it, the parser of URLs says. */
const IPV6 = /^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/;

/** Whether every machine has this address, which then names none of them. */
export function isEverywhere(address: string): boolean {
  return ["127.0.0.1", "::1", "0.0.0.0", "::"].includes(address);
}

/** With brackets around an IPv6 address. */
export function hostOf(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
