import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { freeAddress } from "../../test/fakes/free_address.ts";
import { settingsOf } from "../../test/fakes/settings.ts";
import { eventually, loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { type AdmissionTls, ensureAdmissionTls, TLS_SECRET } from "../admission/mod.ts";
import { systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { newState, saveState } from "../zarf/mod.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import { Part } from "./listeners.ts";
import { serveWebhook } from "./webhook.ts";

interface Stage {
  readonly api: ApiObjects;
  readonly facts: ClusterFacts;
  readonly part: Part;
  readonly lines: string[];
  /** Whether a new connection is one that trusts these certificates. */
  isServed(tls: AdmissionTls): Promise<boolean>;
}

const quick = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 20, signal),
};

function staged(mode: string, action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    await saveState(
      api.client,
      newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" }),
    );
    const { logger, lines } = loggerOf();
    const address = freeAddress();
    const settings = settingsOf({
      "data-dir": dir,
      "admission-address": address,
      "image-mode": mode,
    });
    const [facts, part] = [new ClusterFacts(store, logger), new Part("admission", "starts")];
    const abort = new AbortController();
    const following = facts.run(api.client, abort.signal);
    const options = { settings, facts, store, part, logger, clock: quick };
    const serving = serveWebhook(options, abort.signal);
    const isServed = async (tls: AdmissionTls) => {
      using client = Deno.createHttpClient({ caCerts: [tls.ca] });
      try {
        return (await (await fetch(`https://${address}/healthz`, { client })).text()) === "ok\n";
      } catch {
        return false;
      }
    };
    try {
      await action({ api, facts, part, lines, isServed });
    } finally {
      abort.abort();
      await Promise.all([serving, following]);
    }
  });
}

async function madeAnew({ api, facts }: Stage): Promise<AdmissionTls> {
  const secret = api.find("secrets", TLS_SECRET);
  if (secret !== undefined) api.remove(secret);
  const tls = await ensureAdmissionTls(api.client);
  await eventually(() => facts.current.tls?.cert === tls.cert);
  return tls;
}

Deno.test("it listens when there is a certificate, and each new one is served at once", () =>
  staged("rewrite", async (stage) => {
    const first = await madeAnew(stage);
    await eventually(() => stage.isServed(first));
    const opened = stage.lines.filter((line) => line.includes("listens")).length;
    const second = await madeAnew(stage);
    await eventually(() => stage.isServed(second));
    assert.equal(await stage.isServed(first), false);
    const third = await madeAnew(stage);
    await eventually(() => stage.isServed(third));
    assert.equal(stage.lines.filter((line) => line.includes("listens")).length, opened);
    assert.equal(stage.part.ok, true);
  }));

Deno.test("when the certificate is lost, the one that there was is served on", () =>
  staged("rewrite", async (stage) => {
    const tls = await madeAnew(stage);
    await eventually(() => stage.isServed(tls));
    stage.api.remove(stage.api.find("secrets", TLS_SECRET) as AnyObject);
    await eventually(() => stage.facts.current.tls === undefined);
    assert.equal(await stage.isServed(tls), true);
    const next = await madeAnew(stage);
    await eventually(() => stage.isServed(next));
  }));

Deno.test("where images are not rewritten nothing listens", () =>
  staged("mirror", async (stage) => {
    const tls = await madeAnew(stage);
    assert.equal(stage.part.ok, true);
    assert.match(stage.part.message, /not rewritten/);
    assert.equal(await stage.isServed(tls), false);
  }));
