import assert from "node:assert/strict";
import { judgeCompany, judgePeers } from "./etcd_agreement.ts";
import type { PeerAnswer } from "./etcd_peers.ts";
import type { EtcdStatement } from "./etcd_word.ts";

const SITE = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

function says(address: string, changes: Partial<EtcdStatement> = {}): PeerAnswer {
  const statement: EtcdStatement = {
    word: "never",
    text: "its disk is blank",
    addresses: ["fd00::9", address],
    controlPlanes: SITE,
    ...changes,
  };
  return { address, statement };
}

const SECOND = says("10.0.0.2");
const THIRD = says("10.0.0.3");

Deno.test("nobody objects when every other one has said that it never saw a cluster", () => {
  assert.equal(judgePeers([SECOND, THIRD], SITE), undefined);
  assert.equal(judgePeers([], ["10.0.0.1"]), undefined);
});

Deno.test("whatever else one says is waited for, and named", () => {
  const rows: [name: string, PeerAnswer, text: RegExp][] = [
    [
      "silence",
      { address: "10.0.0.3", text: "does not answer: refused" },
      /10\.0\.0\.3 does not answer/,
    ],
    ["nothing at all", { address: "10.0.0.3" }, /10\.0\.0\.3 says nothing/],
    [
      "it makes one",
      says("10.0.0.3", { word: "making", text: "asked" }),
      /10\.0\.0\.3 says: asked/,
    ],
    ["it cannot say", says("10.0.0.3", { word: "unknown", text: "no" }), /10\.0\.0\.3 says: no/],
    [
      "another machine",
      says("10.0.0.3", { addresses: ["10.0.0.2"] }),
      /other addresses: 10\.0\.0\.2/,
    ],
    [
      "another order",
      says("10.0.0.3", { controlPlanes: SITE.toReversed() }),
      /another list .*: 10\.0\.0\.3, /,
    ],
    ["a shorter list", says("10.0.0.3", { controlPlanes: SITE.slice(0, 2) }), /another list/],
    ["no list", says("10.0.0.3", { controlPlanes: [] }), /another list of control planes: none/],
  ];
  for (const [name, answer, text] of rows) {
    for (const answers of [[SECOND, answer], [answer, SECOND]]) {
      const objection = judgePeers(answers, SITE);
      assert.equal(objection?.kind, "wait", name);
      assert.match(JSON.stringify(objection), text, name);
    }
  }
  const both = judgePeers([{ address: "10.0.0.2" }, { address: "10.0.0.3" }], SITE);
  assert.match(JSON.stringify(both), /10\.0\.0\.2 says nothing; .*10\.0\.0\.3 says nothing/);
});

Deno.test("one that knows of a cluster settles it, whatever the others say", () => {
  const knows = says("10.0.0.3", {
    word: "cluster",
    text: "etcd has data",
    addresses: [],
    controlPlanes: [],
  });
  for (const other of [SECOND, { address: "10.0.0.2" }, says("10.0.0.2", { word: "making" })]) {
    assert.deepEqual(judgePeers([other, knows], SITE), {
      kind: "over",
      seen: "the control plane 10.0.0.3 says: etcd has data",
    });
  }
});

const REMEDY =
  /switch it on .* never had a cluster, take its address off bootstrap\.control-planes/;

Deno.test("what to do about one that never answers is said, and not about anything else", () => {
  const silent: PeerAnswer = {
    address: "10.0.0.3",
    text: "does not answer: refused",
    silent: true,
  };
  for (const judge of [judgePeers, judgeCompany]) {
    const objection = judge([SECOND, silent], SITE);
    assert.match(JSON.stringify(objection), /10\.0\.0\.3 does not answer: refused; switch/);
    assert.match(JSON.stringify(objection), REMEDY);
    const foreign = judge([SECOND, { address: "10.0.0.3", text: "answers with HTTP 403" }], SITE);
    assert.match(JSON.stringify(foreign), /10\.0\.0\.3 answers with HTTP 403/);
    assert.doesNotMatch(JSON.stringify(foreign), REMEDY);
  }
});

Deno.test("who joins misses only those that are not there or have other settings", () => {
  const rows: [name: string, PeerAnswer, text: RegExp | undefined][] = [
    ["all are there", THIRD, undefined],
    ["the cluster is made now", says("10.0.0.3", { word: "making" }), undefined],
    ["it cannot say yet", says("10.0.0.3", { word: "unknown" }), undefined],
    ["nothing is said", { address: "10.0.0.3" }, /10\.0\.0\.3 says nothing/],
    [
      "another machine",
      says("10.0.0.3", { addresses: ["10.0.0.9"] }),
      /other addresses: 10\.0\.0\.9/,
    ],
    ["another list", says("10.0.0.3", { controlPlanes: [] }), /another list .*: none/],
  ];
  for (const [name, answer, text] of rows) {
    const objection = judgeCompany([SECOND, answer], SITE);
    if (text === undefined) assert.equal(objection, undefined, name);
    else assert.match(JSON.stringify(objection), text, name);
  }
  const knows = says("10.0.0.2", { word: "cluster", controlPlanes: [] });
  assert.equal(judgeCompany([knows, { address: "10.0.0.3" }], SITE), undefined);
});
