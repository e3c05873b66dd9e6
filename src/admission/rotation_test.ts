import assert from "node:assert/strict";
import { randomNumbers } from "../../test/fakes/testing.ts";
import { MAX_CAS } from "./tls_content.ts";
import { LIVES, nextStep, type RotationState, type RotationStep } from "./rotation.ts";

const DAY = 86_400_000;
const YEAR = 365 * DAY;
const SETTLE = LIVES.settle;
const T0 = Date.UTC(2026, 0);
const at = (ms: number) => new Date(T0 + ms);

/** As it is after a fresh start at T0. */
const fresh: RotationState = {
  cas: 1,
  canSign: true,
  issuer: 0,
  caIssuedAt: at(0),
  leafIssuedAt: at(0),
};
const adding: RotationState = { ...fresh, cas: 2, issuer: 1 };
const overlapping: RotationState = { ...fresh, cas: 2, issuer: 0 };

const cases: [string, RotationState, Date, number, RotationStep][] = [
  ["a fresh one is kept", fresh, at(0), 0, "Keep"],
  ["a leaf below two thirds is kept", fresh, at(YEAR * 2 / 3 - 1), 0, "Keep"],
  ["a leaf of two thirds is renewed", fresh, at(YEAR * 2 / 3), 0, "IssueLeaf"],
  ["after a year off it is renewed", fresh, at(YEAR), 0, "IssueLeaf"],
  ["a clock in 1970 proves nothing", fresh, new Date(0), SETTLE, "Keep"],
  ["a clock a year behind proves nothing", fresh, at(-YEAR), SETTLE, "Keep"],
  ["a clock a year ahead renews early", fresh, at(YEAR), 0, "IssueLeaf"],
  [
    "a stamp of 1970 renews at once",
    { ...fresh, leafIssuedAt: new Date(0) },
    at(0),
    0,
    "IssueLeaf",
  ],
  ["a CA below two thirds is kept", withYoungLeaf(fresh), at(20 / 3 * YEAR - DAY), 0, "Keep"],
  ["a CA of two thirds gets a successor", withYoungLeaf(fresh), at(20 / 3 * YEAR), 0, "AddCa"],
  ["the successor comes before a leaf", fresh, at(20 / 3 * YEAR), 0, "AddCa"],
  ["a new CA does not sign at once", adding, at(0), SETTLE - 1, "Keep"],
  ["nor because of a clock", adding, at(100 * YEAR), SETTLE - 1, "Keep"],
  ["it signs when all have learnt of it", adding, at(0), SETTLE, "IssueLeaf"],
  ["whatever the clock says", adding, new Date(0), SETTLE, "IssueLeaf"],
  [
    "an old CA stays for a third of a life",
    overlapping,
    at(10 / 3 * YEAR - DAY),
    SETTLE,
    "IssueLeaf",
  ],
  ["it leaves then", overlapping, at(10 / 3 * YEAR), SETTLE, "DropOldCas"],
  ["but not because of a clock alone", withYoungLeaf(overlapping), at(9 * YEAR), 0, "Keep"],
  ["a clock a year ahead does not make it leave", overlapping, at(YEAR), SETTLE, "IssueLeaf"],
  ["leaves are renewed beside an old CA", overlapping, at(YEAR), 0, "IssueLeaf"],
  ["no third CA is added", withYoungLeaf(overlapping), at(9 * YEAR), 0, "Keep"],
  ["a lost CA key needs a new CA", { ...fresh, canSign: false }, at(0), 0, "AddCa"],
  ["also while a CA is added", { ...adding, canSign: false }, at(0), SETTLE, "AddCa"],
  ["a lost leaf needs a new one", { ...fresh, issuer: undefined }, new Date(0), 0, "IssueLeaf"],
  [
    "with both lost all is new",
    { ...fresh, canSign: false, issuer: undefined },
    at(0),
    0,
    "StartOver",
  ],
  [
    "without a CA all is new",
    { ...fresh, cas: 0, canSign: false, issuer: undefined },
    at(0),
    0,
    "StartOver",
  ],
];

function withYoungLeaf(state: RotationState): RotationState {
  return { ...state, leafIssuedAt: at(9 * YEAR) };
}

for (const [name, state, now, settledFor, step] of cases) {
  Deno.test(name, () => assert.equal(nextStep(state, now, { settledFor }), step));
}

/** A Secret in which a CA is a number, and the certificate the number of its CA. */
interface World {
  /** The newest first. */
  cas: number[];
  leaf: number;
  canSign: boolean;
  caIssuedAt: Date;
  leafIssuedAt: Date;
  version: number;
  /** What the webhook configuration trusts. */
  configured: number[];
}

/** One node: its API server, its agent, and the agent's clocks. */
interface Node {
  isOn: boolean;
  trusts: number[];
  serves: number;
  /** How far its wall clock is off. */
  offset: number;
  seen: { what: string; since: number } | undefined;
}

/** Milliseconds in which every node that is on learns of a change. */
const LAG = SETTLE - 1_000;

class Simulation {
  readonly random: () => number;
  readonly steps: Record<RotationStep, number> = {
    Keep: 0,
    StartOver: 0,
    AddCa: 0,
    IssueLeaf: 0,
    DropOldCas: 0,
  };
  readonly world: World;
  readonly nodes: Node[];
  time = T0;
  #lastCa = 1;

  constructor(seed: number) {
    this.random = randomNumbers(seed);
    this.world = {
      cas: [1],
      leaf: 1,
      canSign: true,
      caIssuedAt: new Date(T0),
      leafIssuedAt: new Date(T0),
      version: 1,
      configured: [1],
    };
    this.nodes = Array.from({ length: 3 }, () => ({
      isOn: true,
      trusts: [1],
      serves: 1,
      offset: 0,
      seen: undefined,
    }));
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] ?? assert.fail();
  }

  /** Time goes on; over a lag nobody that is on has missed anything. */
  pass(ms: number): void {
    this.time += ms;
    if (ms >= LAG) this.nodes.filter(({ isOn }) => isOn).forEach((node) => this.learn(node));
  }

  learn(node: Node): void {
    node.trusts = this.world.configured;
    node.serves = this.world.leaf;
  }

  /** What {@linkcode AdmissionTlsRotation} does, killed before the write if `isKilled`. */
  act(node: Node, isKilled: boolean): void {
    const { world } = this;
    const isTrusted = world.cas.length > 1 &&
      world.cas.every((ca) => world.configured.includes(ca));
    const what = JSON.stringify([world.cas, world.leaf, world.version]);
    if (!isTrusted) node.seen = undefined;
    else if (node.seen?.what !== what) node.seen = { what, since: this.time };
    const settledFor = node.seen === undefined ? 0 : this.time - node.seen.since;
    const now = new Date(Math.max(0, this.time + node.offset));
    const issuer = world.cas.indexOf(world.leaf);
    const step = nextStep({ ...world, cas: world.cas.length, issuer }, now, { settledFor });
    if (isKilled) {
      node.seen = undefined;
      return;
    }
    this.steps[step]++;
    if (step !== "Keep") this.write(step, now);
  }

  write(step: RotationStep, now: Date): void {
    const { world } = this;
    world.version++;
    const [newest = 0] = world.cas;
    if (step === "AddCa") {
      const kept = world.cas.slice(world.cas.indexOf(world.leaf)).slice(0, MAX_CAS - 1);
      world.cas = [++this.#lastCa, ...kept];
      world.canSign = true;
      world.caIssuedAt = now;
    } else if (step === "IssueLeaf") {
      world.leaf = newest;
      world.leafIssuedAt = now;
    } else if (step === "DropOldCas") {
      world.cas = [newest];
    } else assert.fail(step);
  }

  /** On every node that is on, the API server believes the agent, now and after what may come. */
  check(): void {
    const bundles = this.nodes.filter(({ isOn }) => isOn).map(({ trusts }) => trusts);
    for (const node of this.nodes.filter(({ isOn }) => isOn)) {
      for (const bundle of [...bundles, this.world.configured]) {
        assert.ok(bundle.includes(node.serves), `${node.serves} is not in ${bundle}`);
      }
    }
    for (const bundle of bundles) {
      assert.ok(bundle.includes(this.world.leaf), `${this.world.leaf} is not in ${bundle}`);
    }
    assert.ok(this.world.cas.length <= MAX_CAS);
  }
}

Deno.test("whatever clocks, kills and delays do, no certificate meets an API server that does not trust it", () => {
  const total = { AddCa: 0, IssueLeaf: 0, DropOldCas: 0 };
  for (let seed = 1; seed <= 300; seed++) {
    const run = new Simulation(seed);
    for (let event = 0; event < 400; event++) {
      const node = run.pick(run.nodes);
      const chance = run.random();
      if (chance < 0.25) run.act(node, run.random() < 0.2);
      else if (chance < 0.45) run.learn(node);
      else if (chance < 0.6) run.world.configured = run.world.cas;
      else if (chance < 0.7) node.seen = undefined;
      else if (chance < 0.75) run.world.canSign = run.random() < 0.3 ? false : run.world.canSign;
      else if (chance < 0.85) {
        node.offset = run.pick([0, YEAR, -YEAR, 50 * YEAR, -run.time, 4 * YEAR, -10 * YEAR]);
      } else run.pass(run.pick([1_000, LAG, SETTLE, DAY, 100 * DAY, YEAR]));
      run.check();
    }
    for (const step of ["AddCa", "IssueLeaf", "DropOldCas"] as const) {
      total[step] += run.steps[step];
    }
  }
  for (const [step, count] of Object.entries(total)) assert.ok(count > 200, `${step} ${count}`);
});

Deno.test("with right clocks a node that was off for years is believed when it returns", () => {
  let returns = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const run = new Simulation(seed);
    const [node, ...others] = run.nodes;
    assert.ok(node);
    for (let round = 0; round < 20; round++) {
      node.isOn = false;
      node.seen = undefined;
      for (const end = run.time + 3 * YEAR * run.random(); run.time < end;) {
        run.act(run.pick(others), false);
        run.world.configured = run.world.cas;
        run.pass(run.pick([SETTLE, DAY, 60 * DAY]));
        run.check();
      }
      // Its API server reads etcd before it answers; its agent serves what it had.
      node.isOn = true;
      node.trusts = run.world.configured;
      run.check();
      returns++;
      run.learn(node);
    }
    assert.ok(run.steps.AddCa >= 1 && run.steps.DropOldCas >= 1, JSON.stringify(run.steps));
  }
  assert.equal(returns, 2_000);
});

Deno.test("in thirty years with right clocks all is renewed in time, and no more often", () => {
  const run = new Simulation(1);
  const [node] = run.nodes;
  assert.ok(node);
  for (const end = run.time + 30 * YEAR; run.time < end; run.pass(DAY)) {
    run.act(node, false);
    run.world.configured = run.world.cas;
    assert.ok(run.time - run.world.leafIssuedAt.getTime() < YEAR);
    assert.ok(run.time - run.world.caIssuedAt.getTime() < 10 * YEAR);
  }
  assert.deepEqual([run.steps.AddCa, run.steps.DropOldCas], [4, 3]);
  assert.ok(run.steps.IssueLeaf >= 44 && run.steps.IssueLeaf <= 49, `${run.steps.IssueLeaf}`);
});
