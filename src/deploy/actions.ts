import type { ZarfComponent } from "../package/mod.ts";
import type { KubeClient } from "../kube/mod.ts";
import { HoldfastError } from "../std/mod.ts";
import { type CommandContext, runCommand } from "./action_command.ts";
import { applyOutcome } from "./action_outcome.ts";
import {
  type ActionStage,
  nameOf,
  type PlacedAction,
  stageOf,
  substitute,
  titleOf,
} from "./action_text.ts";
import { DeployError, partsOf } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import type { GoTemplateText } from "./go_template.ts";
import type { DeployJournal } from "./journal.ts";
import { endLeftovers } from "./leftovers.ts";
import { redactor } from "./redact.ts";
import { anyOf, cancelled, outdated } from "./wait.ts";
import { waitForNetwork } from "./wait_network.ts";
import { type Kubectl, waitForObject } from "./wait_object.ts";

/** How long a wait may take that has no limit of its own, in milliseconds (Zarf 0.84, actions.go). */
const DEFAULT_WAIT = 5 * 60_000;

/** Fills in Go templates with what is set by now. */
export type FillTemplates = (templates: readonly GoTemplateText[]) => Promise<readonly string[]>;

/** What actions run with. */
export interface ActionContext extends CommandContext {
  readonly kube: KubeClient;
  /** Path of kubectl. */
  readonly kubectl: string;
  readonly journal: DeployJournal;
  /** A newer package takes its place: nothing is waited for any more. */
  readonly newer?: AbortSignal;
  /** For actions with `template`. */
  readonly fillTemplates: FillTemplates;
  readonly onProgress: (phase: "Deploying" | "Waiting", message: string) => void;
}

/** The step of an action in the journal. */
export function stepOf(component: string, { stage, index }: PlacedAction): string {
  return `component/${component}/${stage}/${index}`;
}

/**
 * Runs the actions of one stage, one after the other. What was done before an interruption is not done
 * again; what had begun is, from its start, after whatever is left of it was ended.
 *
 * @throws {DeployError} that names the action: `ActionFailed`, `TimedOut` for a wait, `TemplateFailed`,
 * `ValuesInvalid`, `Cancelled`.
 */
export async function runActions(
  stage: ActionStage,
  component: ZarfComponent,
  context: ActionContext,
): Promise<void> {
  const { journal, workspace, scope } = context;
  for (const placed of stageOf(component.actions.onDeploy, stage)) {
    const step = stepOf(component.name, placed);
    if (journal.isDone(step)) {
      const outcome = workspace.outcome(step);
      if (outcome !== undefined) applyOutcome(outcome, scope);
      continue;
    }
    if (context.newer?.aborted) throw outdated();
    context.onProgress("Deploying", `${titleOf(placed)}: running`);
    await named(placed, context, () => runOne(placed, component, step, context));
  }
}

async function runOne(
  placed: PlacedAction,
  component: ZarfComponent,
  step: string,
  context: ActionContext,
): Promise<void> {
  const { journal, workspace, scope } = context;
  const mark = crypto.randomUUID();
  await journal.begin(step, { mark });
  deployFailpoint("deploy.action.begin");
  if (placed.action.wait !== undefined) await runWait(placed, context);
  else {
    const outcome = await runPlacedCommand(placed, component, mark, context);
    deployFailpoint("deploy.action.ran");
    // Before the step is done: what is done is not run again, and must be known then.
    workspace.flush();
    if (outcome.variables.length + outcome.values.length > 0) workspace.keep(step, outcome);
    applyOutcome(outcome, scope);
  }
  await journal.done(step);
  deployFailpoint("deploy.action.done");
}

async function runPlacedCommand(
  placed: PlacedAction,
  component: ZarfComponent,
  mark: string,
  context: ActionContext,
) {
  const { action, stage, index } = placed;
  const [command = ""] = await filled(placed, [action.cmd], context);
  const logger = context.logger.with({
    component: component.name,
    action: `${stage}[${index}]`,
  });
  const { defaults } = component.actions.onDeploy;
  const outcome = await runCommand(action, defaults, command, mark, { ...context, logger });
  if (outcome !== undefined) return outcome;
  throw cancelled(context.signal ?? AbortSignal.abort());
}

async function runWait(placed: PlacedAction, context: ActionContext): Promise<void> {
  const { wait, maxTotalSeconds } = placed.action;
  const { kube, clock } = context;
  const signal = anyOf(context.signal, context.newer);
  const timeout = (maxTotalSeconds ?? 0) > 0 ? (maxTotalSeconds ?? 0) * 1000 : DEFAULT_WAIT;
  const redact = redactor(context.scope.secrets());
  const common = { timeout, clock, signal };
  const put = (texts: readonly string[]) =>
    filled(placed, texts.map((text) => substitute(text, context.scope.templates)), context);
  if (wait?.cluster !== undefined) {
    const { cluster } = wait;
    const [kind = "", name = "", namespace = "", condition = ""] = await put([
      cluster.kind,
      cluster.name,
      cluster.namespace,
      cluster.condition,
    ]);
    await waitForObject(kube, { kind, name, namespace, condition }, {
      ...common,
      kubectl: kubectlOf(context),
      onProgress: (message) =>
        context.onProgress("Waiting", redact(`${titleOf(placed)}: ${message}`)),
    });
  } else if (wait?.network !== undefined) {
    const { network } = wait;
    const [protocol = "", address = ""] = await put([network.protocol, network.address]);
    // Zarf asks for 200 where nothing is asked for (actions.go runWaitNetworkAction).
    const code = network.code === 0 ? 200 : network.code;
    await waitForNetwork({ protocol: protocol.toLowerCase(), address, code }, common);
  }
}

/** Runs kubectl with the agent's credentials and directories of the workspace. */
function kubectlOf({ exec, kubectl, kubeconfig, workspace, signal }: ActionContext): Kubectl {
  return (args, timeout) =>
    exec(kubectl, {
      args,
      env: { KUBECONFIG: kubeconfig, HOME: workspace.home },
      timeout,
      ...(signal === undefined ? {} : { signal }),
    });
}

async function filled(
  placed: PlacedAction,
  texts: readonly string[],
  { fillTemplates }: ActionContext,
): Promise<readonly string[]> {
  if (placed.action.template !== true) return texts;
  return await fillTemplates(texts.map((text) => ({ name: nameOf(placed), text })));
}

/** Says in an error which action it was, and never what is secret. */
async function named(
  placed: PlacedAction,
  context: ActionContext,
  action: () => Promise<void>,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    const isEnded = context.signal?.aborted || context.newer?.aborted;
    if (isEnded || !(error instanceof HoldfastError)) throw error;
    const redact = redactor(context.scope.secrets());
    const reason = error instanceof DeployError ? error.reason : "ClusterCallFailed";
    const message = redact(`${nameOf(placed)}: ${error.message}`);
    throw new DeployError({ ...partsOf(error), reason, message });
  }
}

/** Ends what the actions of an interrupted deployment have left running. */
export async function endInterruptedActions(journal: DeployJournal): Promise<void> {
  for (const detail of journal.halfDone()) {
    const mark = (detail as { mark?: unknown } | undefined)?.mark;
    if (typeof mark === "string") await endLeftovers(mark);
  }
}
