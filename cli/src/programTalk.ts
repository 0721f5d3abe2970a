import type { Command } from "commander";
import type { Rate } from "../../proto/gen/sidestep/v1/runs.ts";
import { example, methodName, listOption, rate, timeout, wholeNumber } from "./flags.ts";
import { giveMeant, manyOptions, meantText, unclear } from "./programBulk.ts";
import type { GivenMeant } from "./programBulk.ts";
import type { ListForm } from "./listForm.ts";
import type { Terminal } from "./terminal.ts";

type WithAddress = (command: Command) => Command;

const someRun = "0198c0ffee0010008000000000000001";

/** `run signal`, `run query` and `run follow`. */
export function addTalk(run: Command, terminal: Terminal, withAddress: WithAddress): void {
  manyOptions(withAddress(run.command("signal")), "<run id> <name>", "--filter <condition> --name <name>")
    .description("give a signal to a run, for the wait that is or will be there for it")
    .argument("[run id]", meantText)
    .argument("[name]", "what the workflow waits for; with --filter it is --name")
    .option("--name <name>", "with --filter: what the workflow waits for", "")
    .option("--reason <text>", "with --filter: kept with the action", "")
    .option("-d, --request <json>", "the signal as JSON, @file, or - for stdin")
    .option("--id <id>", "the same id again is dropped")
    .addHelpText("after", example(`sidestep run signal ${someRun} reviewed -d '{"approved": true}'`))
    .action(
      async (
        runId: string | undefined,
        argument: string | undefined,
        given: GivenMeant & {
          readonly name: string;
          readonly reason: string;
          readonly request?: string;
          readonly id?: string;
        },
      ) => {
        const { request, id, reason } = given;
        const name = argument ?? given.name;
        if (argument !== undefined && given.name !== "")
          throw unclear("the name of the signal is given twice", "leave --name out");
        if (name === "") {
          const next =
            "give it behind the run's id, or with --filter as --name; `sidestep run describe` shows which a run takes";
          throw unclear("the name of the signal is wanted", next);
        }
        const many = { name, reason, request, protoFolder: undefined, unfit: id === undefined ? undefined : "--id" };
        const one = async (of: string): Promise<void> =>
          (await import("./runTalk.ts")).signalRun({ ...given, runId: of, name, request, id: id ?? "" }, terminal);
        return giveMeant("signal", runId, given, many, one, terminal);
      },
    );
  withAddress(run.command("query"))
    .description("ask a query rpc about a run; the answer as JSON")
    .argument("<rpc>", "package.Service/Method of the query", methodName)
    .option("-d, --request <json>", "the question as JSON, @file, or - for stdin")
    .addHelpText("after", example(`sidestep run query shop.v1.OrderWorkflow/Status -d '{"order_id": "o-1"}'`))
    .action(async (method: string, given: { readonly address: string; readonly request?: string }) =>
      (await import("./runTalk.ts")).queryRun({ ...given, method, request: given.request }, terminal),
    );
  withAddress(run.command("follow"))
    .description("print what a streaming run yields, a JSON line each, until it has ended")
    .argument("<run id>")
    .option("--from <number>", "the first message wanted, counted from 0", wholeNumber, 0)
    .addHelpText("after", example(`sidestep run follow ${someRun} --from 12`))
    .action(async (runId: string, given: { readonly address: string; readonly from: number }) =>
      (await import("./runTalk.ts")).followRun({ ...given, runId }, terminal),
    );
}

/** `call`. */
export function addCall(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  withAddress(program.command("call"))
    .description("make one durable call of a service, without a workflow; the answer as JSON")
    .argument("<method>", "package.Service/Method", methodName)
    .option("-d, --request <json>", "the request as JSON, @file, or - for stdin")
    .option("--proto <folder>", "folder of the .proto files that have the method")
    .option("--idempotency-key <key>", "the same key joins the call there is", "")
    .option("--timeout <duration>", "of one attempt, as in 30s", timeout)
    .option("--attempts <number>", "at most so many", wholeNumber, 0)
    .option("--detach", "print the run's id as soon as the call is durable", false)
    .addHelpText(
      "after",
      example(`sidestep call payment.v1.PaymentService/Refund --proto examples/order/proto -d '{"charge_id": "c-1"}'`),
    )
    .action(
      async (
        method: string,
        given: {
          readonly address: string;
          readonly request?: string;
          readonly proto?: string;
          readonly idempotencyKey: string;
          readonly timeout?: number;
          readonly attempts: number;
          readonly detach: boolean;
        },
      ) =>
        (await import("./callOnce.ts")).callOnce(
          {
            ...given,
            method,
            request: given.request,
            protoFolder: given.proto,
            timeoutMs: given.timeout,
            isDetached: given.detach,
          },
          terminal,
        ),
    );
}

/** `approval list` and `approval decide`. */
export function addApprovals(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  const approval = program.command("approval").description("what people have to approve");
  withAddress(approval.command("list"))
    .description("list the approvals that wait for a decision, of one run or of all")
    .argument("[run id]")
    .addOption(listOption())
    .addHelpText("after", example("sidestep approval list"))
    .action(async (runId: string | undefined, given: { readonly address: string; readonly output: ListForm }) => {
      const { listAllApprovals, listApprovals } = await import("./approvals.ts");
      return runId === undefined ? listAllApprovals(given, terminal) : listApprovals({ ...given, runId }, terminal);
    });
  const which = " (--approve | --reject)";
  const decide = manyOptions(
    withAddress(approval.command("decide")),
    `<run id>${which}`,
    `--filter <condition>${which}`,
  )
    .description("approve or reject")
    .argument("[run id]", meantText)
    .option("--approve", "let the run go on", false)
    .option("--reject", "refuse it", false)
    .option("--step <path>", "which approval, when there are several", "")
    .option("--by <name>", "who decides; another's name takes an admin where there are tokens", "")
    .option("--comment <text>", "kept in the history", "")
    .option("-d, --form <json>", "what is to be filled in, as JSON, @file, or - for stdin")
    .addHelpText("after", example(`sidestep approval decide ${someRun} --approve --by ann -d '{"limit": 100}'`));
  decide.action(
    async (
      runId: string | undefined,
      given: GivenMeant & {
        readonly approve: boolean;
        readonly reject: boolean;
        readonly step: string;
        readonly by: string;
        readonly comment: string;
        readonly form?: string;
      },
    ) => {
      if (given.approve === given.reject)
        throw unclear("nothing says whether it is approved", "give one of --approve and --reject");
      const { step, by, comment, form } = given;
      const decision = given.approve ? "approve" : "reject";
      const many = { name: step, reason: comment, request: form, protoFolder: undefined, by };
      const one = async (id: string): Promise<void> =>
        (await import("./approvals.ts")).decideApproval({ ...given, runId: id, form, decision }, terminal);
      return giveMeant(decision, runId, given, many, one, terminal);
    },
  );
}

/** `hold add`, `hold remove` and `hold list`. */
export function addHolds(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  const hold = program.command("hold").description("calls that are held back, in all runs");
  const target = (name: string): Command =>
    withAddress(hold.command(name))
      .option("--workflow <name>", "of the runs of a workflow: package.Service/Method", methodName)
      .option("--method <name>", "of a method: package.Service/Method", methodName)
      .option("--service <name>", "of a service: package.Service");
  interface Given {
    readonly address: string;
    readonly workflow?: string;
    readonly method?: string;
    readonly service?: string;
  }
  target("add")
    .description("hold the calls of a workflow, a method or a service back")
    .option("--reason <text>", "shown in the list", "")
    .addHelpText("after", example(`sidestep hold add --service payment.v1.PaymentService --reason "the bank is down"`))
    .action(async (given: Given & { readonly reason: string }) =>
      (await import("./holds.ts")).addHold(given, terminal),
    );
  target("remove")
    .description("let them go on")
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example("sidestep hold remove --service payment.v1.PaymentService"))
    .action(async (given: Given & { readonly reason: string }) =>
      (await import("./holds.ts")).removeHold(given, terminal),
    );
  withAddress(hold.command("list"))
    .description("list what is held")
    .addOption(listOption())
    .addHelpText("after", example("sidestep hold list"))
    .action(async (given: { readonly address: string; readonly output: ListForm }) =>
      (await import("./holds.ts")).listHolds(given, terminal),
    );
}

/** `limit set`, `limit clear` and `limit list`. */
export function addLimits(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  const limit = program.command("limit").description("how many calls a method gets, over all runs");
  withAddress(limit.command("set"))
    .description("limit the calls of a method; an earlier limit of it is replaced")
    .argument("<package.Service/Method>", "what is limited", methodName)
    .option("--concurrency <n>", "calls at a time, over all sidecars", wholeNumber)
    .option("--per-sidecar <n>", "calls at a time of each sidecar", wholeNumber)
    .option("--rate <n/unit>", "calls in a time, over all sidecars: 10/s, 30/m, 100/h, 1000/d", rate)
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example("sidestep limit set shop.v1.PaymentService/Charge --concurrency 4 --rate 10/s"))
    .action(
      async (
        method: string,
        given: {
          readonly address: string;
          readonly concurrency?: number;
          readonly perSidecar?: number;
          readonly rate?: Rate;
          readonly reason: string;
        },
      ) => (await import("./limits.ts")).setLimit(method, given, terminal),
    );
  withAddress(limit.command("clear"))
    .description("lift the limit of a method")
    .argument("<package.Service/Method>", "what is limited", methodName)
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example("sidestep limit clear shop.v1.PaymentService/Charge"))
    .action(async (method: string, given: { readonly address: string; readonly reason: string }) =>
      (await import("./limits.ts")).clearLimit(method, given, terminal),
    );
  withAddress(limit.command("list"))
    .description("list what is limited")
    .addOption(listOption())
    .addHelpText("after", example("sidestep limit list"))
    .action(async (given: { readonly address: string; readonly output: ListForm }) =>
      (await import("./limits.ts")).listLimits(given, terminal),
    );
}
