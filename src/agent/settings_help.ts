import type { SettingName } from "./settings.ts";

/** What a setting is for, in one line of help. */
export interface SettingHelp {
  readonly value: string;
  readonly text: string;
  readonly repeatable?: boolean;
  /** Between several in one variable of the environment. @default ":" */
  readonly separator?: string;
}

/** Every setting with its help; the order is the order of `--help`. */
export const SETTINGS: Readonly<Record<SettingName, SettingHelp>> = {
  "drop-dir": { value: "DIR", text: "directory where packages are dropped", repeatable: true },
  "data-dir": { value: "DIR", text: "where everything durable is kept" },
  kubeconfig: { value: "FILE", text: "how to reach the cluster; without it the agent waits" },
  "node-name": { value: "NAME", text: "this node's name in the cluster; on Talos it says it" },
  "registry-address": { value: "HOST:PORT", text: "listener of the node registry" },
  "admission-address": { value: "HOST:PORT", text: "listener of the admission webhook" },
  "status-address": { value: "HOST:PORT", text: "listener of status page and metrics" },
  "peer-address": { value: "HOST:PORT", text: "listener for peer agents" },
  "git-address": { value: "HOST:PORT", text: "listener for git, which pods must reach" },
  "image-mode": { value: "MODE", text: "rewrite image names, or mirror (rewrite nothing)" },
  "mutation-exclusion": {
    value: "NAME",
    text: "what is not rewritten: flux, argocd",
    repeatable: true,
  },
  "trust-key": {
    value: "FILE",
    text: "public keys, one of which must have signed a package; PEM",
    repeatable: true,
  },
  actions: {
    value: "POLICY",
    text: "whose commands run: trusted (the default with keys), always (without), never",
  },
  "files-root": {
    value: "DIR",
    text: "directory of this node below which packages may put files",
    repeatable: true,
  },
  "package-timeout": {
    value: "TIME",
    text: "how long a package's deployment may take, all attempts together",
  },
  "component-timeout": { value: "TIME", text: "how long a component may take in one attempt" },
  "seed-dir": { value: "DIR", text: "OCI layout of the registry image" },
  "tools-dir": { value: "DIR", text: "where helm and kubectl are" },
  "talos-socket": { value: "FILE", text: "Talos' machine API socket" },
  "bootstrap-etcd": {
    value: "WHO",
    text: "first-control-plane: Talos is asked to make etcd there when the site first comes up",
  },
  "bootstrap-control-planes": {
    value: "ADDRESS",
    text: "of a site with several: all control planes, the first of them first",
    repeatable: true,
    separator: ",",
  },
  "kubelet-kubeconfig": {
    value: "FILE",
    text: "the kubelet's, to get rights of its own by where there is no kubeconfig",
  },
  "worker-rights": {
    value: "RIGHTS",
    text: "given to such agents: deploy (the default without keys) or serve (with)",
  },
  "log-format": { value: "FORMAT", text: "json or text" },
  "log-level": { value: "LEVEL", text: "debug, info, warn or error" },
};

/** All names in the order of the help. */
export function settingNames(): SettingName[] {
  return Object.keys(SETTINGS) as SettingName[];
}

/** The environment variable of a setting: `HOLDFAST_DROP_DIR`. */
export function environmentName(name: SettingName): string {
  return `HOLDFAST_${name.toUpperCase().replaceAll("-", "_")}`;
}
