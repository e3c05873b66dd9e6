import assert from "node:assert/strict";
import { serviceFile } from "./machine_config.ts";

Deno.test("a service's file lies where machined would write it", () => {
  // Talos 1.13, extension_service_config_files_test.go.
  const path = "/system/overlays/extensions/frr/usr-local-etc-frr-frr.conf";
  assert.equal(serviceFile("frr", "/usr/local/etc/frr/frr.conf"), path);
});
