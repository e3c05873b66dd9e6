import {
  type GivenSettings,
  type ResolvedSettings,
  resolveSettings,
  type Settings,
  type SettingsInput,
} from "../../src/agent/mod.ts";

/** Defaults of an agent in a test. */
const DEFAULTS: GivenSettings = {
  "data-dir": "/var/lib/holdfast",
  "node-name": "node-1",
  "registry-address": "127.0.0.1:31999",
  "admission-address": "127.0.0.1:7471",
  "status-address": "127.0.0.1:7472",
  "image-mode": "rewrite",
  "log-format": "json",
  "log-level": "info",
};

/** Settings of an agent that watches `/drop`, and what is given besides. */
export function resolve(input: Partial<SettingsInput>): ResolvedSettings {
  return resolveSettings({
    flags: { "drop-dir": ["/drop"] },
    environment: {},
    defaults: DEFAULTS,
    ...input,
  });
}

/** Settings of an agent with these flags. */
export function settingsOf(flags: GivenSettings): Settings {
  return resolve({ flags: { "drop-dir": ["/drop"], ...flags } }).settings;
}
