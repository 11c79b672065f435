"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.Xpose = void 0;
const n8n_workflow_1 = require("n8n-workflow");
const shared_ts_1 = require("./shared.js");
class Xpose {
    description = {
        displayName: "xpose",
        name: "xpose",
        icon: "file:xpose.svg",
        group: ["transform"],
        version: 1,
        subtitle: '={{$parameter["operation"]}}',
        description: "Exposure evidence about email addresses",
        defaults: { name: "xpose" },
        inputs: [n8n_workflow_1.NodeConnectionTypes.Main],
        outputs: [n8n_workflow_1.NodeConnectionTypes.Main],
        usableAsTool: true,
        credentials: [{ name: "xposeApi", required: true }],
        properties: [
            {
                displayName: "Operation",
                name: "operation",
                type: "options",
                noDataExpression: true,
                default: "lookup",
                options: [
                    {
                        name: "Look Up",
                        value: "lookup",
                        action: "Look up an email address",
                        description: "Evidence about one address per item",
                    },
                    {
                        name: "Look Up Many",
                        value: "bulk",
                        action: "Look up many email addresses",
                        description: "Evidence about the addresses of all items in one call",
                    },
                    {
                        name: "Watch",
                        value: "watch",
                        action: "Watch email addresses",
                        description: "Put the addresses of all items on the watch list",
                    },
                ],
            },
            {
                displayName: "Email",
                name: "email",
                type: "string",
                placeholder: "name@email.com",
                default: "={{ $json.email }}",
                required: true,
                description: "The email address",
            },
            {
                displayName: "Label",
                name: "label",
                type: "string",
                default: "",
                description: "A word of your own for these addresses",
                displayOptions: { show: { operation: ["watch"] } },
            },
            {
                displayName: "Wait",
                name: "wait",
                type: "number",
                typeOptions: { minValue: 1 },
                default: 60,
                description: "How many seconds to wait for a scan. It goes on in the service after that.",
                displayOptions: { show: { operation: ["lookup", "bulk"] } },
            },
            {
                displayName: "Options",
                name: "options",
                type: "collection",
                placeholder: "Add option",
                default: {},
                displayOptions: { show: { operation: ["lookup", "bulk"] } },
                options: [
                    {
                        displayName: "Cached Only",
                        name: "cached_only",
                        type: "boolean",
                        default: false,
                        description: "Whether to take only a result that is there already",
                    },
                    {
                        displayName: "Maximum Age",
                        name: "max_age",
                        type: "number",
                        typeOptions: { minValue: 0 },
                        default: 86400,
                        description: "An older result counts as none, in seconds",
                    },
                    {
                        displayName: "TLP",
                        name: "tlp",
                        type: "options",
                        default: "amber",
                        description: "Above what the service allows outside, only sources inside the perimeter are asked",
                        options: [
                            { name: "Amber", value: "amber" },
                            { name: "Amber+strict", value: "amber+strict" },
                            { name: "Clear", value: "clear" },
                            { name: "Green", value: "green" },
                            { name: "Red", value: "red" },
                        ],
                    },
                ],
            },
        ],
    };
    async execute() {
        const items = this.getInputData();
        const operation = this.getNodeParameter("operation", 0);
        const emails = items.map((_, at) => String(this.getNodeParameter("email", at) ?? "").trim());
        const rows = operation === "lookup"
            ? await lookUpEach(this, emails)
            : operation === "bulk"
                ? await lookUpAll(this, emails)
                : await watchAll(this, emails);
        return [rows.map((json, at) => ({ json, pairedItem: { item: at } }))];
    }
}
exports.Xpose = Xpose;
async function lookUpEach(context, emails) {
    const rows = [];
    for (const [at, email] of emails.entries()) {
        try {
            const service = await shared_ts_1.Service.connect(context, secondsOf(context, at));
            rows.push(rowOf(email, await service.lookUp(wanted(email), optionsOf(context, at)), service));
        }
        catch (error) {
            rows.push(failedRow(context, email, error, at));
        }
    }
    return rows;
}
async function lookUpAll(context, emails) {
    try {
        const service = await shared_ts_1.Service.connect(context, secondsOf(context, 0));
        const found = await service.bulk(emails.map(wanted), optionsOf(context, 0));
        const rowsByAddress = new Map();
        for (const [address, row] of found)
            rowsByAddress.set(address, await bulkRowOf(address, row, service));
        return emails.map((email) => ({ ...rowsByAddress.get((0, shared_ts_1.sameAddress)(email)), email }));
    }
    catch (error) {
        return emails.map((email, at) => failedRow(context, email, error, at));
    }
}
/** A row of a bulk. A row that is not completed has no number, and says why. */
async function bulkRowOf(email, row, service) {
    const empty = { email, status: row.status, headline: null, total: null, high: null, medium: null, low: null };
    const rest = { partial: null, failed_sources: [], request_id: row.request_id, digest: null, findings: [] };
    if (row.request_id !== null && (row.status === "completed" || row.status === "failed")) {
        try {
            return rowOf(email, await service.caseOf(row.request_id), service);
        }
        catch (error) {
            const status = row.status === "completed" ? "error" : row.status;
            return { ...empty, status, ...rest, error: textOf(error) };
        }
    }
    const error = row.error === null ? (0, shared_ts_1.stillText)(row.request_id, row.status) : (0, shared_ts_1.refusal)(row.error, null).message;
    return { ...empty, ...rest, error };
}
async function watchAll(context, emails) {
    try {
        const service = await shared_ts_1.Service.connect(context, 60);
        const label = String(context.getNodeParameter("label", 0, "") ?? "");
        const rows = [];
        for (let start = 0; start < emails.length; start += 1000) {
            const part = emails.slice(start, start + 1000);
            const answer = await service.watch(part.map(wanted), label);
            const invalid = (answer["invalid"] ?? []);
            rows.push(...part.map((email, at) => {
                const fault = invalid.find(({ value_index }) => value_index === at);
                const status = fault === undefined ? "watched" : "invalid";
                return { email, status, error: fault === undefined ? null : String(fault.error), ...warningOf(service) };
            }));
        }
        return rows;
    }
    catch (error) {
        return emails.map((email, at) => failedRow(context, email, error, at));
    }
}
function rowOf(email, found, service) {
    const { findings, total, by_severity } = found.exposure;
    return {
        email,
        status: found.status,
        headline: (0, shared_ts_1.headlineOf)(found),
        total,
        high: by_severity["high"] ?? 0,
        medium: by_severity["medium"] ?? 0,
        low: by_severity["low"] ?? 0,
        partial: found.partial,
        failed_sources: found.failed_sources,
        request_id: found.request_id,
        digest: found.digest,
        findings,
        disambiguation: found.disambiguation,
        ...warningOf(service),
    };
}
function warningOf(service) {
    return service.isVerified ? {} : { warning: shared_ts_1.notVerified };
}
/** The item of an address without a result where the workflow goes on, else the error of the node. */
function failedRow(context, email, error, itemIndex) {
    const message = textOf(error);
    if (context.continueOnFail())
        return { email, status: "error", total: null, error: message };
    throw new n8n_workflow_1.NodeOperationError(context.getNode(), message, { itemIndex });
}
function textOf(error) {
    return error instanceof shared_ts_1.XposeError
        ? error.message
        : `xpose: the node failed (${error?.name ?? "unknown"})`;
}
function wanted(email) {
    if (email === "")
        throw new shared_ts_1.XposeError("xpose: an email address is wanted");
    return email;
}
function secondsOf(context, at) {
    return Math.max(1, Number(context.getNodeParameter("wait", at, 60)) || 60);
}
function optionsOf(context, at) {
    return context.getNodeParameter("options", at, {});
}
