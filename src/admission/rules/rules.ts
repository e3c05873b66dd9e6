import { argocdAppProjectRule } from "./argocd_app_project.ts";
import { argocdApplicationRule } from "./argocd_application.ts";
import { argocdApplicationSetRule } from "./argocd_application_set.ts";
import { argocdRepositoryRule } from "./argocd_repository.ts";
import { fluxGitRepositoryRule } from "./flux_git_repository.ts";
import { fluxHelmRepositoryRule } from "./flux_helm_repository.ts";
import { fluxOciRepositoryRule } from "./flux_oci_repository.ts";
import { podRule } from "./pod.ts";
import type { Rule } from "./rule.ts";

const ALL: readonly Rule[] = [
  podRule,
  fluxGitRepositoryRule,
  fluxHelmRepositoryRule,
  fluxOciRepositoryRule,
  argocdApplicationRule,
  argocdApplicationSetRule,
  argocdAppProjectRule,
  argocdRepositoryRule,
];

/** Every rule by its path; the paths are those of Zarf's agent (Zarf 0.84, src/internal/agent/start.go). */
export const RULES: ReadonlyMap<string, Rule> = new Map(ALL.map((rule) => [rule.path, rule]));
