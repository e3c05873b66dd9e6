/**
 * A test that bundles, or comes after one that does in the same file: esbuild's helper process ends on
 * its own time after it was told to, perhaps in the test after.
 */
export function bundleTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}
