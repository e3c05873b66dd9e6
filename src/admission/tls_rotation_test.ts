import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { loggerOf } from "../../test/fakes/testing.ts";
import { KubeError, type KubeObject } from "../kube/mod.ts";
import { issueCertificates } from "./certificates.ts";
import { LIVES } from "./rotation.ts";
import { hasOpenssl, openssl, VERIFY } from "./testing.ts";
import { TLS_SECRET } from "./tls_content.ts";
import { AdmissionTlsRotation, ensureAdmissionTls } from "./tls_rotation.ts";
import { type AdmissionTls, loadAdmissionTls } from "./tls_secret.ts";

const YEAR = 365 * 86_400_000;

/** An agent whose two clocks are moved by hand. */
class Agent {
  readonly lines: string[];
  wall = Date.now();
  ticks = 0;
  readonly rotation: AdmissionTlsRotation;

  constructor() {
    const { logger, lines } = loggerOf();
    this.lines = lines;
    const clock = {
      now: () => new Date(this.wall),
      monotonic: () => this.ticks,
      sleep: () => Promise.resolve(),
    };
    this.rotation = new AdmissionTlsRotation({ logger, clock });
  }

  /** Time passes on both clocks. */
  pass(ms: number): void {
    this.wall += ms;
    this.ticks += ms;
  }
}

async function staged(action: (api: ApiObjects, agent: Agent) => Promise<void>): Promise<void> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  await action(api, new Agent());
}

function secretIn(api: ApiObjects): AnyObject {
  return api.find("secrets", TLS_SECRET) ?? assert.fail("there is no Secret");
}

/** What an agent does with what a step gave: it tells the API server. */
function configure(api: ApiObjects, ca: string, other?: KubeObject): void {
  const webhook = (name: string, bundle: string) => ({
    name,
    clientConfig: { url: "https://127.0.0.1:7471/", caBundle: btoa(bundle) },
  });
  api.put({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "holdfast" },
    webhooks: [webhook("pods.holdfast.dev", ca), webhook("flux.holdfast.dev", ca)],
    ...other,
  });
}

const blocks = ({ ca }: AdmissionTls) => ca.match(/-----BEGIN CERTIFICATE-----/g)?.length;

Deno.test("they are made once, and nothing is written while nothing is due", () =>
  staged(async (api, agent) => {
    const made = await agent.rotation.step(api.client);
    assert.deepEqual(await loadAdmissionTls(api.client), made);
    const { writes } = api;
    assert.deepEqual(writes, [`POST secrets/${TLS_SECRET}`]);
    for (const ms of [0, 1_000, YEAR / 2]) {
      agent.pass(ms);
      assert.deepEqual(await agent.rotation.step(api.client), made);
    }
    assert.deepEqual(await ensureAdmissionTls(api.client), made);
    assert.equal(api.writes.length, 1);
    assert.ok(!JSON.stringify(agent.lines).includes("PRIVATE KEY"));
  }));

Deno.test("agents that make them at once get the same", () =>
  staged(async (api) => {
    const all = await Promise.all(
      Array.from({ length: 5 }, () => new Agent().rotation.step(api.client)),
    );
    for (const one of all) assert.deepEqual(one, all[0]);
    assert.equal(api.writes.length, 1);
  }));

Deno.test("a leaf of two thirds of a year is renewed by the same CA, once, by one of two agents", () =>
  staged(async (api, agent) => {
    const first = await agent.rotation.step(api.client);
    const other = new Agent();
    agent.pass(YEAR * 0.7);
    other.pass(YEAR * 0.7);
    const [a, b] = await Promise.all([
      agent.rotation.step(api.client),
      other.rotation.step(api.client),
    ]);
    assert.deepEqual(a, b);
    assert.equal(a.ca, first.ca);
    assert.notEqual(a.cert, first.cert);
    assert.deepEqual(api.writes, [`POST secrets/${TLS_SECRET}`, `PUT secrets/${TLS_SECRET}`]);
    assert.deepEqual(await agent.rotation.step(api.client), a);
  }));

Deno.test("a Secret of the first version is taken over as old as it is", () =>
  staged(async (api, agent) => {
    const { ca, caKey, cert, key } = issueCertificates();
    const data = { "ca.crt": ca, "ca.key": caKey, "tls.crt": cert, "tls.key": key };
    api.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        name: TLS_SECRET,
        namespace: "zarf",
        creationTimestamp: new Date(agent.wall).toISOString(),
      },
      stringData: data,
    } as unknown as KubeObject);
    assert.deepEqual(await agent.rotation.step(api.client), { ca, cert, key });
    assert.deepEqual(api.writes, []);
    agent.pass(YEAR);
    const renewed = await agent.rotation.step(api.client);
    assert.equal(renewed.ca, ca);
    assert.notEqual(renewed.cert, cert);
  }));

Deno.test("clocks at 1970 and a year off renew too early at worst", () =>
  staged(async (api, agent) => {
    const made = await agent.rotation.step(api.client);
    const right = agent.wall;
    for (const wall of [0, right - YEAR, right - 1]) {
      agent.wall = wall;
      assert.deepEqual(await agent.rotation.step(api.client), made);
    }
    assert.equal(api.writes.length, 1);
    agent.wall = right + YEAR;
    const early = await agent.rotation.step(api.client);
    assert.equal(early.ca, made.ca);
    agent.wall = right;
    assert.deepEqual(await agent.rotation.step(api.client), early);
  }));

/** Brings the Secret to the point where a second CA was added. */
async function added(api: ApiObjects, agent: Agent): Promise<[AdmissionTls, AdmissionTls]> {
  const first = await agent.rotation.step(api.client);
  configure(api, first.ca);
  agent.pass(7 * YEAR);
  const both = await agent.rotation.step(api.client);
  assert.equal(blocks(both), 2);
  assert.equal(both.cert, first.cert);
  assert.ok(both.ca.endsWith(first.ca), "the newest comes first");
  return [first, both];
}

/** The step after everything was seen for long enough. */
async function settled(api: ApiObjects, agent: Agent): Promise<AdmissionTls> {
  configure(api, (await agent.rotation.step(api.client)).ca);
  await agent.rotation.step(api.client);
  agent.pass(LIVES.settle);
  return await agent.rotation.step(api.client);
}

Deno.test("a CA is renewed in three steps, each seen by the API server before the next", () =>
  staged(async (api, agent) => {
    const [first, both] = await added(api, agent);
    agent.pass(LIVES.settle * 2);
    assert.deepEqual(await agent.rotation.step(api.client), both, "nobody trusts it yet");
    configure(api, both.ca);
    assert.deepEqual(await agent.rotation.step(api.client), both);
    agent.pass(LIVES.settle - 1);
    assert.deepEqual(await agent.rotation.step(api.client), both);
    agent.pass(1);
    const signed = await agent.rotation.step(api.client);
    assert.equal(signed.ca, both.ca);
    assert.notEqual(signed.cert, first.cert);
    agent.pass(YEAR / 2);
    assert.deepEqual(await agent.rotation.step(api.client), signed, "the overlap is for years");
    agent.wall += 10 / 3 * YEAR;
    const dropped = await settled(api, agent);
    assert.equal(blocks(dropped), 1);
    assert.ok(both.ca.startsWith(dropped.ca));
  }));

Deno.test("a wall clock that jumps, or an agent that starts anew, does not shorten the wait", () =>
  staged(async (api, agent) => {
    const [, both] = await added(api, agent);
    configure(api, both.ca);
    await agent.rotation.step(api.client);
    agent.ticks += LIVES.settle - 1;
    agent.wall += 2 * YEAR;
    assert.deepEqual(await agent.rotation.step(api.client), both);
    const anew = new Agent();
    anew.ticks = 10 * LIVES.settle;
    anew.wall = agent.wall;
    assert.deepEqual(await anew.rotation.step(api.client), both);
    agent.ticks += 1;
    assert.notEqual((await agent.rotation.step(api.client)).cert, both.cert);
  }));

Deno.test("a configuration that lost the CA meanwhile begins the wait anew", () =>
  staged(async (api, agent) => {
    const [first, both] = await added(api, agent);
    const one = [{ name: "pods.holdfast.dev", clientConfig: { caBundle: btoa(both.ca) } }];
    const lost: (() => void)[] = [
      () => configure(api, first.ca),
      () => configure(api, both.ca, { webhooks: [] } as unknown as KubeObject),
      () => configure(api, both.ca, { webhooks: "?" } as unknown as KubeObject),
      () =>
        configure(
          api,
          both.ca,
          {
            webhooks: [...one, { name: "b.holdfast.dev", clientConfig: { caBundle: "" } }],
          } as unknown as KubeObject,
        ),
      () => api.remove(api.find("mutatingwebhookconfigurations", "holdfast") ?? assert.fail()),
    ];
    for (const lose of lost) {
      configure(api, both.ca);
      await agent.rotation.step(api.client);
      agent.pass(LIVES.settle / 2);
      lose();
      assert.deepEqual(await agent.rotation.step(api.client), both);
      configure(api, both.ca);
      agent.pass(LIVES.settle / 2);
      assert.deepEqual(await agent.rotation.step(api.client), both);
    }
    const foreign = { name: "theirs.example.com", clientConfig: { caBundle: btoa("theirs") } };
    configure(api, both.ca, { webhooks: [...one, foreign] } as unknown as KubeObject);
    await agent.rotation.step(api.client);
    agent.pass(LIVES.settle);
    assert.notEqual((await agent.rotation.step(api.client)).cert, both.cert);
  }));

Deno.test("a spoilt Secret is mended, with as much of it as can be used", () =>
  staged(async (api, agent) => {
    const made = await agent.rotation.step(api.client);
    const { data } = secretIn(api);
    const spoil = (changes: Record<string, unknown>) => {
      api.put({ ...secretIn(api), data: { ...data, ...changes } } as AnyObject);
    };
    spoil({ "tls.key": btoa("no key") });
    const releafed = await agent.rotation.step(api.client);
    assert.equal(releafed.ca, made.ca, "the API server trusts it as before");
    assert.match(agent.lines.at(-1) ?? "", /step=IssueLeaf.*data\.tls\.key is not the key/);
    spoil({ "ca.key": data["tls.key"] });
    const readded = await agent.rotation.step(api.client);
    assert.deepEqual([blocks(readded), readded.cert], [2, made.cert]);
    spoil({ "ca.crt": "" });
    const anew = await agent.rotation.step(api.client);
    assert.equal(blocks(anew), 1);
    assert.ok(!made.ca.includes(anew.ca));
    assert.deepEqual(await loadAdmissionTls(api.client), anew);
  }));

Deno.test("a Secret that cannot be changed is made anew", () =>
  staged(async (api, agent) => {
    await agent.rotation.step(api.client);
    agent.pass(YEAR);
    api.intercept = ({ method }) =>
      method === "PUT"
        ? status(422, "Invalid", "field is immutable when `immutable` is set")
        : undefined;
    const renewed = await agent.rotation.step(api.client);
    assert.deepEqual(await loadAdmissionTls(api.client), renewed);
    assert.deepEqual(api.writes.slice(1), [
      `DELETE secrets/${TLS_SECRET}`,
      `POST secrets/${TLS_SECRET}`,
    ]);
  }));

Deno.test("who is always too late gives up in the end, and a broken API server is told", () =>
  staged(async (api, agent) => {
    await agent.rotation.step(api.client);
    agent.pass(YEAR);
    let attempts = 0;
    api.intercept = ({ method }) =>
      method === "PUT" ? (attempts++, status(409, "Conflict")) : undefined;
    const isA = (reason: string) => (error: unknown) =>
      error instanceof KubeError && error.reason === reason;
    await assert.rejects(agent.rotation.step(api.client), isA("Conflict"));
    assert.equal(attempts, 5);
    api.intercept = () => status(500, "InternalError");
    await assert.rejects(agent.rotation.step(api.client), isA("ServerError"));
  }));

Deno.test("killed before or after any write, the next agent goes on from there", () =>
  staged(async (api) => {
    let agent = new Agent();
    const bundles = new Set<number | undefined>();
    const random = [0, 1, 1, 0, 1];
    for (let round = 0; round < 200; round++) {
      const isCut = random[round % random.length] === 0 && round % 3 === 0;
      if (isCut) {
        api.intercept = ({ method }) => method === "PUT" ? status(500, "InternalError") : undefined;
      }
      try {
        const tls = await agent.rotation.step(api.client);
        bundles.add(blocks(tls));
        configure(api, tls.ca);
      } catch (error) {
        assert.ok(error instanceof KubeError);
      }
      api.intercept = () => undefined;
      if (isCut) {
        const { wall } = agent;
        agent = new Agent();
        agent.wall = wall;
      }
      agent.pass(YEAR / 5);
      assert.ok(await loadAdmissionTls(api.client) !== undefined);
    }
    assert.deepEqual([...bundles].sort(), [1, 2]);
    assert.ok(api.writes.length > 40, `${api.writes.length} writes`);
  }));

if (hasOpenssl()) {
  Deno.test("openssl verifies each stage's certificate by its bundle and its neighbours', at any time", () =>
    staged(async (api, agent) => {
      const [first, both] = await added(api, agent);
      configure(api, both.ca);
      await agent.rotation.step(api.client);
      agent.pass(LIVES.settle);
      const signed = await agent.rotation.step(api.client);
      agent.wall += 4 * YEAR;
      const dropped = await settled(api, agent);
      const verifies = async ({ ca }: AdmissionTls, { cert }: AdmissionTls) => {
        for (const moment of [0, agent.wall - YEAR, agent.wall, agent.wall + YEAR]) {
          const time = ["-attime", String(Math.floor(moment / 1000))];
          const args = [...VERIFY, "-verify_ip", "127.0.0.1", ...time];
          const { code } = await openssl({ ca, cert }, ...args, "-CAfile", "ca.pem", "cert.pem");
          if (code !== 0) return false;
        }
        return true;
      };
      // Who trusts what, against what is served: a stage, and one stage on either side of it.
      const cases: [AdmissionTls, AdmissionTls, boolean][] = [
        [first, first, true],
        [first, both, true],
        [both, first, true],
        [both, both, true],
        [both, signed, true],
        [signed, both, true],
        [signed, signed, true],
        [signed, dropped, true],
        [dropped, signed, true],
        [dropped, dropped, true],
        [first, signed, false],
        [dropped, both, false],
      ];
      for (const [index, [trusting, serving, expected]] of cases.entries()) {
        assert.equal(await verifies(trusting, serving), expected, `case ${index}`);
      }
    }));
}
