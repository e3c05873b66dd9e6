import type { PeerAnswer } from "./etcd_peers.ts";
import type { EtcdVerdict } from "./etcd_verdict.ts";

/** What speaks against beginning a cluster. */
export type Objection = Extract<EtcdVerdict, { readonly kind: "over" | "wait" }>;

/**
 * Judges what the other control planes have said. Each of them must have said that it has never seen
 * a cluster, under the address that it was asked at, with the same list. One that knows of a cluster
 * settles it, whatever the others say.
 *
 * @returns undefined when nobody objects
 */
export function judgePeers(
  answers: readonly PeerAnswer[],
  controlPlanes: readonly string[],
): Objection | undefined {
  for (const { address, statement } of answers) {
    if (statement?.word !== "cluster") continue;
    return { kind: "over", seen: `the control plane ${address} says: ${statement.text}` };
  }
  const objections = answers.map((answer) => objectionOf(answer, controlPlanes));
  const found = objections.filter((objection) => objection !== undefined);
  if (found.length === 0) return undefined;
  return { kind: "wait", text: found.join("; "), wrong: true };
}

/** Why this answer is not enough. */
function objectionOf(
  { address, statement, text }: PeerAnswer,
  controlPlanes: readonly string[],
): string | undefined {
  const who = `the control plane ${address}`;
  if (statement === undefined) return `${who} ${text ?? "says nothing"}`;
  if (!statement.addresses.includes(address)) {
    return `who answers for ${who} has other addresses: ${statement.addresses.join(", ")}`;
  }
  if (statement.controlPlanes.join() !== controlPlanes.join()) {
    const list = statement.controlPlanes.join(", ") || "none";
    return `${who} has another list of control planes: ${list}`;
  }
  if (statement.word !== "never") return `${who} says: ${statement.text}`;
  return undefined;
}
