import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { der } from "../std/mod.ts";
import { requestPem } from "./certificate_request.ts";
import { judge, type Verdict } from "./judge.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });

function pemOf(commonName: string, organization = "holdfast:nodes"): string {
  return requestPem(privateKey, { commonName, organization });
}

/** A request with any subject and attributes. */
function oddPem(subject: readonly (readonly [string, string])[], attributes = der.element(0xa0)) {
  const body = der.sequence(
    der.integer(Uint8Array.of(0)),
    der.sequence(
      ...subject.map(([type, value]) =>
        der.set(der.sequence(der.oid(type), der.utf8String(value)))
      ),
    ),
    publicKey.export({ type: "spki", format: "der" }),
    attributes,
  );
  const algorithm = der.sequence(der.oid("1.2.840.10045.4.3.2"));
  const signature = der.bitString(sign("sha256", body, privateKey));
  return der.pem("CERTIFICATE REQUEST", der.sequence(body, algorithm, signature));
}

const CN = "2.5.4.3";
const O = "2.5.4.10";
const own = [[O, "holdfast:nodes"], [CN, "holdfast:node:n1"]] as const;
/** An extension request for one DNS name. */
const SAN = der.element(
  0xa0,
  der.sequence(
    der.oid("1.2.840.113549.1.9.14"),
    der.set(der.sequence(der.sequence(
      der.oid("2.5.29.17"),
      der.octetString(der.sequence(der.element(0x82, new TextEncoder().encode("kubernetes")))),
    ))),
  ),
);

interface Change {
  readonly pem?: string;
  readonly spec?: Record<string, unknown>;
  readonly status?: unknown;
}

function request({ pem = pemOf("holdfast:node:n1"), spec = {}, status = {} }: Change = {}) {
  return {
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name: "holdfast-n1-0123" },
    spec: {
      signerName: "kubernetes.io/kube-apiserver-client",
      request: btoa(pem),
      username: "system:node:n1",
      groups: ["system:nodes", "system:authenticated"],
      usages: ["client auth", "digital signature"],
      expirationSeconds: 604_800,
      ...spec,
    },
    status,
  };
}

const approved: Verdict = { what: "approve", node: "n1" };

Deno.test("a kubelet is given a certificate for the agent of its own node", () => {
  const cases: [string, Change][] = [
    ["as the agent asks", {}],
    ["the parts of the name in another order", { pem: oddPem([own[1], own[0]]) }],
    ["client auth alone", { spec: { usages: ["client auth"] } }],
    ["usages in another order", { spec: { usages: ["digital signature", "client auth"] } }],
    ["for a shorter time", { spec: { expirationSeconds: 600 } }],
    ["a status without conditions", { status: { conditions: null } }],
  ];
  for (const [what, change] of cases) assert.deepEqual(judge(request(change)), approved, what);
});

Deno.test("what asks for an agent's name in another way is denied, with the reason", () => {
  const cases: [string, Change, RegExp][] = [
    ["another node's name", { pem: pemOf("holdfast:node:n2") }, /node n1 may ask for .*:n1 only/],
    ["a longer name", { pem: pemOf("holdfast:node:n1x") }, /may ask for/],
    ["no node's name", { pem: pemOf("holdfast:node:") }, /may ask for/],
    ["the group under a foreign name", { pem: pemOf("alice") }, /may ask for/],
    ["an administrator", { spec: { username: "admin" } }, /only the kubelet .*"admin"/],
    [
      "an agent for itself",
      { spec: { username: "holdfast:node:n1", groups: ["holdfast:nodes"] } },
      /only the kubelet/,
    ],
    ["a nameless kubelet", { spec: { username: "system:node:" } }, /only the kubelet/],
    ["nobody", { spec: { username: undefined } }, /only the kubelet .*""/],
    ["a kubelet's name without its group", { spec: { groups: ["a"] } }, /only the kubelet/],
    ["no groups", { spec: { groups: undefined } }, /only the kubelet/],
    ["a bootstrap token", {
      spec: { username: "system:bootstrap:abc", groups: ["system:bootstrappers"] },
    }, /only the kubelet/],
    ["administrators", { pem: pemOf("holdfast:node:n1", "system:masters") }, /group must be/],
    ["another group", { pem: pemOf("holdfast:node:n1", "holdfast:node") }, /group must be/],
    ["a second group", { pem: oddPem([[O, "system:masters"], ...own]) }, /group must be/],
    ["a second group behind", { pem: oddPem([...own, [O, "system:masters"]]) }, /group must be/],
    ["no group", { pem: oddPem([own[1]]) }, /group must be/],
    ["a second name", { pem: oddPem([...own, [CN, "admin"]]) }, /may ask for/],
    ["more in the subject", { pem: oddPem([...own, ["2.5.4.11", "x"]]) }, /more than a group/],
    ["other names beside it", { pem: oddPem(own, SAN) }, /more than a subject/],
    ["server auth", { spec: { usages: ["server auth"] } }, /usages must be/],
    ["server auth, too", { spec: { usages: ["client auth", "server auth"] } }, /usages must be/],
    ["a third usage", {
      spec: { usages: ["client auth", "digital signature", "key encipherment"] },
    }, /usages must be/],
    ["digital signature alone", { spec: { usages: ["digital signature"] } }, /usages must be/],
    ["no usages", { spec: { usages: [] } }, /usages must be/],
    ["over a week", { spec: { expirationSeconds: 604_801 } }, /604800 s/],
    ["no end", { spec: { expirationSeconds: undefined } }, /604800 s/],
  ];
  for (const [what, change, why] of cases) {
    const verdict = judge(request(change));
    assert.equal(verdict.what, "deny", what);
    assert.match(verdict.what === "deny" ? verdict.why : "", why, what);
  }
});

Deno.test("what is not ours, or decided, is left alone", () => {
  const cases: [string, unknown][] = [
    ["a user", request({ pem: pemOf("alice", "users") })],
    ["a kubelet's own", request({ pem: pemOf("system:node:n1", "system:nodes") })],
    ["a name that only looks like it", request({ pem: pemOf("holdfast:nod", "holdfast:nodesx") })],
    ["another signer", request({ spec: { signerName: "kubernetes.io/kubelet-serving" } })],
    ["no request", request({ spec: { request: "!" } })],
    ["an unreadable request", request({ spec: { request: btoa("x") } })],
    ["approved", request({ status: { conditions: [{ type: "Approved" }] } })],
    [
      "denied",
      request({
        pem: pemOf("holdfast:node:n2"),
        status: { conditions: [{ type: "Denied" }] },
      }),
    ],
    ["another object", { kind: "Pod" }],
    ["nothing", undefined],
  ];
  for (const [what, object] of cases) assert.deepEqual(judge(object), { what: "leave" }, what);
});
