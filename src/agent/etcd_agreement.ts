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
  return objectionTo(
    answers,
    (answer) => strangenessOf(answer, controlPlanes) ?? wordAgainst(answer),
  );
}

/**
 * Judges what the other control planes have said for one that does not begin itself: who is not there,
 * or has other settings, keeps the first one from beginning. What it says of itself is not its matter.
 *
 * @returns undefined when all are there
 */
export function judgeCompany(
  answers: readonly PeerAnswer[],
  controlPlanes: readonly string[],
): Objection | undefined {
  if (answers.some(({ statement }) => statement?.word === "cluster")) return undefined;
  return objectionTo(answers, (answer) => strangenessOf(answer, controlPlanes));
}

/** What a person can do about one that never answers, as far as it is safe. */
const REMEDY =
  "switch it on and see to the network; if it never comes, and this site never had a " +
  "cluster, take its address off bootstrap.control-planes on all the others";

function objectionTo(
  answers: readonly PeerAnswer[],
  against: (answer: PeerAnswer) => string | undefined,
): Objection | undefined {
  const found = answers.map(against).filter((text) => text !== undefined);
  if (found.length === 0) return undefined;
  const remedy = answers.some(({ silent }) => silent) ? [REMEDY] : [];
  return { kind: "wait", text: [...found, ...remedy].join("; "), wrong: true };
}

/** Why this is not the answer of a control plane of the same settings. */
function strangenessOf(
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
  return undefined;
}

function wordAgainst({ address, statement }: PeerAnswer): string | undefined {
  if (statement === undefined || statement.word === "never") return undefined;
  return `the control plane ${address} says: ${statement.text}`;
}
