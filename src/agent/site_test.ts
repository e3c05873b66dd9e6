import assert from "node:assert/strict";
import { newState, registryServiceAt, siteAccessOf, type ZarfState } from "../zarf/mod.ts";
import { siteOf } from "./site.ts";

const SETTINGS = { "registry-address": "127.0.0.1:31999" };
const types = () => Promise.resolve(undefined);

function stateWith(change: (state: ZarfState) => void): ZarfState {
  const state = newState({ registryAddress: "127.0.0.1:5000", port: 5000, ipFamily: "ipv4" });
  Object.assign(state.registryInfo, { pullUsername: "reader", pullPassword: "geheim" });
  change(state);
  return state;
}

Deno.test("before there is a state, the rules know the setting and nothing else", () => {
  assert.deepEqual(siteOf(SETTINGS, {}, types), {
    registryAddress: "127.0.0.1:31999",
    configMediaType: types,
  });
});

Deno.test("the registry of this cluster is told with its Service", () => {
  const access = siteAccessOf(stateWith(() => {}), registryServiceAt("fd00::5"));
  assert.deepEqual(siteOf(SETTINGS, { access }, types), {
    registryAddress: "127.0.0.1:5000",
    configMediaType: types,
    registry: {
      serviceAddress: "zarf-docker-registry.zarf.svc.cluster.local:5000",
      clusterAddress: "[fd00::5]:5000",
      isInternal: true,
      pullUsername: "reader",
      pullPassword: "geheim",
    },
  });
});

Deno.test("an external registry is its address, and a git server is told with its reader", () => {
  const access = siteAccessOf(stateWith((state) => {
    Object.assign(state.registryInfo, { address: "r.example.com/x", registryMode: "external" });
    Object.assign(state.gitServer, {
      address: "https://git.example.com",
      pushUsername: "owner",
      pushPassword: "of the writer",
      pullUsername: "git-reader",
      pullPassword: "also geheim",
    });
  }));
  assert.deepEqual(siteOf(SETTINGS, { access }, types), {
    registryAddress: "r.example.com/x",
    configMediaType: types,
    registry: {
      serviceAddress: "r.example.com/x",
      isInternal: false,
      pullUsername: "reader",
      pullPassword: "geheim",
    },
    gitServer: {
      address: "https://git.example.com",
      pushUsername: "owner",
      pullUsername: "git-reader",
      pullPassword: "also geheim",
    },
  });
});

Deno.test("a client's certificate is told without its CA, a state without a registry has none", () => {
  const clientTls = { ca: "ca", cert: "cert", key: "key" };
  const mtls = stateWith(({ registryInfo }) => registryInfo.mtlsStrategy = "zarf-managed");
  const { registry } = siteOf(SETTINGS, { access: siteAccessOf(mtls), clientTls }, types);
  assert.deepEqual(registry?.clientTls, { cert: "cert", key: "key" });
  const none = siteAccessOf(stateWith(({ registryInfo }) => registryInfo.address = ""));
  assert.deepEqual(siteOf(SETTINGS, { access: none }, types), {
    registryAddress: "127.0.0.1:31999",
    configMediaType: types,
  });
});
