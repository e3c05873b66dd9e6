import { parseArgs } from "node:util";
import { readArguments, UsageError } from "../../extension/build/task.ts";

/** What the command line of the demo asks for. */
export interface DemoArguments {
  /** `cluster`: one that is made; `own`: the person's; `node`: none. */
  readonly mode: "cluster" | "own" | "node";
  readonly nodes: number;
  readonly kubeconfig?: string;
  readonly nodeName?: string;
  /** Whether it runs until Enter. */
  readonly wait: boolean;
  /** Whether it also takes the minute that counting API writes needs. */
  readonly figures: boolean;
}

/** The most nodes that the demo starts: each costs about 300 MB of memory. */
const MAX_NODES = 9;

/** What `--help` prints. */
export const USAGE =
  `usage: deno task demo [--nodes N] [--node-only] [--kubeconfig FILE] [--no-wait] [--figures]

  --nodes N          nodes of the cluster that is made (default 1, at most ${MAX_NODES})
  --node-only        no cluster: what one node does by itself; needs neither root nor Go
  --kubeconfig FILE  use this cluster; this machine must be one of its nodes
  --node-name NAME   this machine's name in that cluster (default: its host name)
  --no-wait          end and clean up when everything was shown
  --figures          also count the API writes of a quiet minute`;

/** @throws {UsageError} */
export function parseArguments(args: readonly string[]): DemoArguments {
  const values = parse(args);
  const nodes = values.nodes === undefined ? 1 : Number(values.nodes);
  if (!(Number.isInteger(nodes) && nodes >= 1 && nodes <= MAX_NODES)) {
    throw new UsageError(`--nodes takes a number from 1 to ${MAX_NODES}, not ${values.nodes}`);
  }
  const nodeOnly = values["node-only"] ?? false;
  if (nodeOnly && values.kubeconfig !== undefined) {
    throw new UsageError("--node-only uses no cluster, so --kubeconfig cannot go with it");
  }
  if (values.nodes !== undefined && (nodeOnly || values.kubeconfig !== undefined)) {
    throw new UsageError("--nodes is for the cluster that the demo makes");
  }
  if (values["node-name"] !== undefined && values.kubeconfig === undefined) {
    throw new UsageError("--node-name goes with --kubeconfig");
  }
  return {
    mode: nodeOnly ? "node" : values.kubeconfig === undefined ? "cluster" : "own",
    nodes,
    wait: !(values["no-wait"] ?? false),
    figures: values.figures ?? false,
    ...(values.kubeconfig === undefined ? {} : { kubeconfig: values.kubeconfig }),
    ...(values["node-name"] === undefined ? {} : { nodeName: values["node-name"] }),
  };
}

function parse(args: readonly string[]) {
  return readArguments(() =>
    parseArgs({
      args: [...args],
      options: {
        nodes: { type: "string" },
        "node-only": { type: "boolean" },
        kubeconfig: { type: "string" },
        "node-name": { type: "string" },
        "no-wait": { type: "boolean" },
        figures: { type: "boolean" },
      },
    }).values
  );
}
