import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { EtcdCompany } from "./etcd_company.ts";
import { createWordHandler } from "./etcd_peers.ts";
import { servePeers } from "./peer_listener.ts";

const SECRET = "the key of etcd's authority";
const OWN = "127.0.0.3";
const FIRST = "127.0.0.1";
const LIVE = new AbortController().signal;

Deno.test("a machine that joins names who is missing, and asks again only after a while", async () => {
  const controlPlanes = [FIRST, OWN];
  let asked = 0;
  const source = {
    secret: () => Promise.resolve(SECRET),
    state: () => {
      asked++;
      return Promise.resolve({
        ...{ word: "never" as const, text: "its disk is blank" },
        ...{ addresses: [FIRST], controlPlanes },
      });
    },
  };
  const stop = new AbortController();
  const words = createWordHandler(source);
  const server = servePeers({ words }, { hostname: FIRST, port: 0 }, stop.signal);
  const clock = new TestClock();
  const company = new EtcdCompany({ controlPlanes, peerPort: server.port, clock });
  const missing = (siteSecret: string | undefined) =>
    company.missing({ siteSecret, addresses: [OWN] }, LIVE);
  assert.equal(await missing(undefined), undefined);
  assert.equal(asked, 0, "nobody can be asked without the site's key");
  assert.equal(await missing(SECRET), undefined);
  assert.equal(asked, 1);
  stop.abort();
  await server.finished;
  assert.equal(await missing(SECRET), undefined);
  await clock.sleep(10_000);
  assert.match(
    await missing(SECRET) ?? "",
    /^the control plane 127\.0\.0\.1 does not answer: .*; switch/,
  );
});
