/** A folder of `src` whose files may be imported from elsewhere only through its `mod.ts`. */
export type Room = string;

/**
 * Which rooms each room may import. A package goes one way, from drop to status, and no later stage
 * reaches back into an earlier one: what they share lies in the store. `std` may be imported by every
 * room. `main.ts` counts as a room of its own.
 */
export const IMPORT_TABLE: Readonly<Record<Room, readonly Room[]>> = {
  "main.ts": ["cli"],
  cli: [
    ...["agent", "status", "reconcile", "deploy", "admission", "bootstrap", "registry", "drop"],
    ...["git", "package", "store", "talos", "rights", "kube", "refs", "zarf"],
  ],
  agent: [
    ...["status", "reconcile", "deploy", "admission", "bootstrap", "registry", "drop"],
    ...["git", "package", "store", "talos", "rights", "kube", "refs", "zarf"],
  ],
  status: ["store", "kube", "zarf"],
  reconcile: ["deploy", "store", "kube", "zarf"],
  deploy: ["package", "store", "kube", "zarf"],
  admission: ["refs", "kube", "zarf"],
  bootstrap: ["store", "kube", "zarf"],
  registry: ["store"],
  drop: ["package", "store"],
  git: ["refs"],
  package: ["refs"],
  rights: ["kube", "zarf"],
  zarf: ["kube"],
  store: [],
  talos: [],
  kube: [],
  refs: [],
  std: [],
};
