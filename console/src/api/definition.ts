import type { DefinedBlock, DefinedStep, Role, Setting } from "../graph/definition.ts";
import { list, number, object, oneOf, text, texts, time, truth } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** sidestep.v1.WorkflowDefinition. */
export interface Workflow {
  readonly workflow: string;
  /** 0: retired. */
  readonly activeVersion: number;
  readonly versions: readonly Version[];
  readonly requestType: string;
  readonly responseType: string;
}

/** sidestep.v1.WorkflowVersion. */
export interface Version {
  readonly version: number;
  readonly hash: string;
  readonly deployedAt: number | undefined;
  readonly methods: readonly string[];
  /** Names of those that it gives its runs. */
  readonly attributes: readonly string[];
}

/** sidestep.v1.DescribeDefinitionResponse. */
export interface Definition {
  readonly workflow: string;
  readonly version: number;
  readonly requestType: string;
  readonly responseType: string;
  /** A FileDescriptorSet in base64. */
  readonly descriptors: string;
  readonly settings: readonly Setting[];
  readonly steps: readonly DefinedStep[];
}

/** Reads a WorkflowDefinition. */
export function toWorkflow(json: JsonObject): Workflow {
  return {
    workflow: text(json, "workflow"),
    activeVersion: number(json, "activeVersion"),
    versions: list(json, "versions", (one) => ({
      version: number(one, "version"),
      hash: text(one, "hash"),
      deployedAt: time(one, "deployedAt"),
      methods: texts(one, "methods"),
      attributes: texts(one, "attributes"),
    })),
    requestType: text(json, "requestType"),
    responseType: text(json, "responseType"),
  };
}

/** Reads a DescribeDefinitionResponse. */
export function toDefinition(json: JsonObject): Definition {
  return {
    workflow: text(json, "workflow"),
    version: number(json, "version"),
    requestType: text(json, "requestType"),
    responseType: text(json, "responseType"),
    descriptors: text(json, "descriptors"),
    settings: list(json, "settings", toSetting),
    steps: list(json, "steps", toDefinedStep),
  };
}

function toDefinedStep(json: JsonObject): DefinedStep {
  return {
    name: text(json, "name"),
    id: text(json, "id"),
    title: text(json, "title"),
    kind: text(json, "kind"),
    method: text(json, "method"),
    requestType: text(json, "requestType"),
    resultType: text(json, "resultType"),
    settings: list(json, "settings", toSetting),
    blocks: list(json, "blocks", toBlock),
    compensation: json["compensation"] === undefined ? undefined : toDefinedStep(object(json["compensation"])),
  };
}

function toSetting(json: JsonObject): Setting {
  return { name: text(json, "name"), text: text(json, "text"), expression: truth(json, "expression") };
}

const roles: readonly Role[] = ["BODY", "CASE", "DEFAULT", "BRANCH", "CATCH", "FINALLY", "ON_TIMEOUT", "ON_REJECT"];

function toBlock(json: JsonObject): DefinedBlock {
  return {
    role: oneOf(json, "role", roles, "BODY"),
    label: text(json, "label"),
    steps: list(json, "steps", toDefinedStep),
  };
}
