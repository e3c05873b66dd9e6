import assert from "node:assert/strict";
import type { ControlPlaneNode, EtcdFacts } from "./etcd_facts.ts";
import type { EtcdMemory } from "./etcd_marker.ts";
import { type EtcdVerdict, evidenceOf, hazardOf, judgeMachine, wasAsked } from "./etcd_verdict.ts";

const LIFE = { life: "1.0", runner: "2.0" };
const BLANK: EtcdFacts = {
  machine: "controlplane",
  life: LIFE.life,
  addresses: ["10.0.0.1", "fd00::1"],
  endpoint: { host: "10.0.0.1", port: 6443 },
  authorities: ["PEM"],
  siteSecret: "secret",
  service: { state: "Preparing", message: "Running pre state", runner: LIFE.runner },
  data: "blank",
  kubeletJoined: false,
  members: [],
  discovered: [],
};
const SITE = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];

/** Nodes by name, or as `name@address`. */
function nodes(...names: readonly string[]): ControlPlaneNode[] {
  return names.map((each) => {
    const [name = "", ...addresses] = each.split("@");
    return { name, addresses };
  });
}

const FIRST: EtcdVerdict = { kind: "first", self: "10.0.0.1", others: [] };

function service(state: string, runner = LIFE.runner): Pick<EtcdFacts, "service"> {
  return { service: { state, message: "so it is", runner } };
}

/** A row: what is different from a blank first machine, and what comes of it. */
interface Row {
  readonly name: string;
  readonly facts?: Partial<EtcdFacts>;
  readonly memory?: EtcdMemory;
  readonly site?: readonly string[];
  readonly kind: EtcdVerdict["kind"];
  readonly text?: RegExp;
}

const ROWS: readonly Row[] = [
  { name: "a blank single machine", kind: "first" },
  { name: "the first of several", site: SITE, kind: "first" },
  {
    name: "another of several",
    site: ["10.0.0.2", "10.0.0.1"],
    kind: "joins",
    text: /10\.0\.0\.2/,
  },
  {
    name: "one of another family",
    site: ["fd00::1", "fd00::2"],
    kind: "first",
  },
  // Traces of a cluster, each by itself and whatever else is said.
  { name: "members", facts: { members: nodes("a", "b") }, kind: "over", text: /members a, b/ },
  { name: "data", facts: { data: "present" }, kind: "over", text: /data on this machine/ },
  { name: "a kubelet's certificate", facts: { kubeletJoined: true }, kind: "over" },
  { name: "memory", memory: { seen: "it was there" }, kind: "over", text: /it was there/ },
  {
    name: "memory, where Talos was asked again",
    memory: { seen: "it was there", asked: { life: "0", runner: "0" } },
    kind: "over",
  },
  {
    name: "memory on a machine that has no type",
    memory: { seen: "x" },
    facts: { machine: "unknown" },
    kind: "over",
  },
  {
    name: "members seen by one that is not listed",
    site: ["10.0.0.9"],
    facts: { members: nodes("a") },
    kind: "over",
  },
  // Machines that make none.
  { name: "a worker", facts: { machine: "worker" }, kind: "none" },
  { name: "the type init", facts: { machine: "init" }, kind: "none", text: /by itself/ },
  { name: "no type yet", facts: { machine: "unknown" }, kind: "wait" },
  // Settings that do not say who it is.
  { name: "no address yet", facts: { addresses: [] }, kind: "wait", text: /no address yet/ },
  { name: "not in the list", site: ["10.0.0.8", "10.0.0.9"], kind: "wait", text: /is among/ },
  {
    name: "twice in the list",
    site: ["10.0.0.1", "fd00::1"],
    kind: "wait",
    text: /several addresses/,
  },
  {
    name: "an endpoint elsewhere",
    facts: { endpoint: { host: "10.0.0.100", port: 6443 } },
    kind: "wait",
    text: /no address of this machine/,
  },
  {
    name: "an endpoint by name",
    facts: { endpoint: { host: "site", port: 6443 } },
    kind: "wait",
    text: /site is no/,
  },
  {
    name: "an endpoint that is everywhere",
    facts: { endpoint: { host: "127.0.0.1", port: 6443 }, addresses: ["127.0.0.1", "10.0.0.1"] },
    kind: "wait",
    text: /on every machine/,
  },
  { name: "no secrets yet", facts: { siteSecret: undefined }, kind: "wait", text: /secrets/ },
  { name: "no authority yet", facts: { authorities: [] }, kind: "wait", text: /secrets/ },
  {
    name: "no endpoint yet, with a list",
    site: SITE,
    facts: { endpoint: undefined },
    kind: "wait",
  },
  { name: "no endpoint yet", facts: { endpoint: undefined }, kind: "wait" },
  {
    name: "a control plane that discovery knows and no list",
    facts: { discovered: [{ name: "b", addresses: ["10.0.0.2"] }] },
    kind: "wait",
    text: /control plane b \(10\.0\.0\.2\)/,
  },
  {
    name: "a control plane that discovery knows beside the list",
    site: SITE,
    facts: { discovered: [{ name: "d", addresses: ["10.0.0.4"] }] },
    kind: "wait",
    text: /control plane d/,
  },
  {
    name: "the listed ones as discovery knows them",
    site: SITE,
    facts: {
      discovered: [
        { name: "a", addresses: ["10.0.0.1"] },
        { name: "b", addresses: ["192.168.0.2", "10.0.0.2"] },
      ],
    },
    kind: "first",
  },
  // What has to come first.
  { name: "etcd is not loaded", facts: { service: undefined }, kind: "wait" },
  { name: "etcd waits", facts: service("Waiting"), kind: "wait", text: /etcd: Waiting: so it is/ },
  { name: "etcd runs, without data", facts: service("Running"), kind: "wait" },
  { name: "etcd runs on void data", facts: { ...service("Running"), data: "void" }, kind: "first" },
  {
    name: "etcd is at it, and has written nothing yet",
    memory: { boot: LIFE, asked: LIFE },
    facts: { ...service("Running", "3.0"), data: "void" },
    kind: "making",
  },
  {
    name: "etcd runs on void data that was taken away",
    memory: { asked: { life: "0", runner: "0" }, cleared: LIFE },
    facts: service("Running"),
    kind: "first",
  },
  {
    name: "an earlier etcd's void data was taken away",
    memory: { cleared: { ...LIFE, life: "0" } },
    facts: service("Running"),
    kind: "wait",
  },
  {
    name: "void data of another control plane",
    site: ["10.0.0.2", "10.0.0.1"],
    facts: { ...service("Running"), data: "void" },
    kind: "joins",
  },
  {
    name: "void data, and members that somebody knows",
    facts: { data: "void", members: nodes("a") },
    kind: "over",
  },
  {
    name: "void data, and a cluster that was seen",
    memory: { seen: "it was there" },
    facts: { data: "void" },
    kind: "over",
  },
  { name: "etcd is stopped now", facts: service("Stopping"), kind: "wait" },
  { name: "no data directory yet", facts: { data: "absent" }, kind: "wait" },
  { name: "etcd gave up joining", facts: service("Failed"), kind: "first" },
  // Talos was asked before.
  { name: "the same runner: it was not asked", memory: { boot: LIFE, asked: LIFE }, kind: "first" },
  {
    name: "another runner: it is at it",
    memory: { boot: LIFE, asked: LIFE },
    facts: service("Preparing", "3.0"),
    kind: "making",
    text: /Preparing/,
  },
  {
    name: "another runner that somebody else has asked for",
    memory: { boot: LIFE },
    facts: service("Preparing", "3.0"),
    kind: "making",
  },
  {
    name: "a runner that is not known",
    memory: { boot: LIFE },
    facts: service("Preparing", ""),
    kind: "first",
  },
  {
    name: "a known runner after one that was not known",
    memory: { boot: { ...LIFE, runner: "" }, asked: { ...LIFE, runner: "" } },
    facts: service("Preparing", "3.0"),
    kind: "making",
  },
  {
    name: "another runner that has failed",
    memory: { boot: LIFE, asked: LIFE },
    facts: service("Failed", "3.0"),
    kind: "first",
  },
  {
    name: "another life: Talos has forgotten it",
    memory: { boot: { life: "1.0", runner: "9.0" }, asked: { life: "0.5", runner: "1.0" } },
    facts: service("Preparing", "9.0"),
    kind: "first",
  },
];

Deno.test("what a machine says of itself decides whether it may begin a cluster", () => {
  for (const { name, facts = {}, memory = {}, site = [], kind, text = /(?:)/ } of ROWS) {
    const verdict = judgeMachine({ ...BLANK, ...facts }, memory, site);
    assert.equal(verdict.kind, kind, `${name}: ${JSON.stringify(verdict)}`);
    assert.match(JSON.stringify(verdict), text, name);
  }
});

Deno.test("the first machine names all the others, in the list's order", () => {
  assert.deepEqual(judgeMachine(BLANK, {}, []), FIRST);
  assert.deepEqual(judgeMachine(BLANK, {}, SITE), { ...FIRST, others: SITE.slice(1) });
});

Deno.test("there is no evidence on a blank machine, and there is by each trace", () => {
  assert.equal(evidenceOf(BLANK), undefined);
  assert.equal(evidenceOf({ ...BLANK, data: "absent" }), undefined);
  assert.notEqual(evidenceOf({ ...BLANK, members: nodes("a") }), undefined);
});

Deno.test("that etcd was loaded anew is known only within one life of the machine", () => {
  const { service: own } = BLANK;
  assert.equal(wasAsked(BLANK, {}), false);
  assert.equal(wasAsked(BLANK, { boot: LIFE }), false);
  assert.equal(wasAsked(BLANK, { boot: { ...LIFE, runner: "1.5" } }), true);
  assert.equal(wasAsked(BLANK, { boot: { life: "0.1", runner: "1.5" } }), false);
  assert.equal(
    wasAsked({ life: LIFE.life, service: undefined, data: "blank" } as unknown as EtcdFacts, {
      boot: LIFE,
    }),
    false,
  );
  assert.notEqual(own, undefined);
});

Deno.test("with a cluster, a list that lacks somebody is a hazard", () => {
  const rows: [facts: Partial<EtcdFacts>, site: string[], text: RegExp | undefined][] = [
    [{ members: [] }, [], undefined],
    [{ members: nodes("a") }, [], undefined],
    [{ members: nodes("a", "b") }, [], /2 members and bootstrap.control-planes does not name/],
    [
      { members: nodes("a@10.0.0.1", "b@10.0.0.2") },
      [],
      /2 members .* does not name them all: b \(10\.0\.0\.2\)$/,
    ],
    [{ members: nodes("a", "b", "c") }, SITE, undefined],
    [{ members: nodes("a", "b", "c", "d@10.0.0.4") }, SITE, /4 members .*d \(10\.0\.0\.4\)/],
    // etcd may speak by another network than the one that is listed.
    [{ members: nodes("a@fd00::1", "b@fd00::2", "c@fd00::3") }, SITE, undefined],
    [
      { members: nodes("a"), discovered: nodes("a@10.0.0.1", "d@fd00::4@10.0.0.4") },
      SITE,
      /^d \(fd00::4, 10\.0\.0\.4\) is not among bootstrap\.control-planes/,
    ],
    [{ members: nodes("a"), discovered: nodes("b@fd00::2@10.0.0.2") }, SITE, undefined],
    [{ members: nodes("a"), discovered: nodes("b@10.0.0.2") }, [], /^b \(10\.0\.0\.2\) is not/],
    [
      { members: nodes("a") },
      ["10.0.0.8"],
      /^this machine \(10\.0\.0\.1, fd00::1\) is not among bootstrap\.control-planes$/,
    ],
  ];
  for (const [facts, site, text] of rows) {
    const hazard = hazardOf({ ...BLANK, ...facts }, site);
    if (text === undefined) assert.equal(hazard, undefined, JSON.stringify([facts, site]));
    else assert.match(hazard ?? "", text);
  }
});
