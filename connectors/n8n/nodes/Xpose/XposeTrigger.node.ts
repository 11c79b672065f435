import {
  type IDataObject,
  type INodeExecutionData,
  type INodeType,
  type INodeTypeDescription,
  type IPollFunctions,
  NodeConnectionTypes,
  NodeOperationError,
} from "n8n-workflow";
import { notVerified, Service, XposeError } from "./shared.ts";

const pageSize = 1000;

export class XposeTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: "xpose Trigger",
    name: "xposeTrigger",
    icon: "file:xpose.svg",
    group: ["trigger"],
    version: 1,
    subtitle: '={{$parameter["type"]}}',
    description: "Starts the workflow when the watch list has news",
    defaults: { name: "xpose Trigger" },
    polling: true,
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: "xposeApi", required: true }],
    properties: [
      {
        displayName: "Event",
        name: "type",
        type: "options",
        default: "exposure.new",
        options: [
          { name: "Any", value: "", description: "All events" },
          { name: "New Exposure", value: "exposure.new", description: "A watched address has a new finding" },
          { name: "Round Checked", value: "watch.checked", description: "All watched addresses were looked up" },
          { name: "Source Failing", value: "source.failing", description: "A source does not answer any more" },
          { name: "Source Recovered", value: "source.recovered", description: "A source answers again" },
        ],
      },
    ],
  };

  async poll(this: IPollFunctions): Promise<INodeExecutionData[][] | null> {
    const type = this.getNodeParameter("type", "exposure.new") as string;
    const isManual = this.getMode() === "manual";
    const kept = this.getWorkflowStaticData("node");
    try {
      const service = await Service.connect(this, 60);
      const { events, next } = await allAfter(service, isManual ? "" : String(kept["after"] ?? ""), type);
      // A manual run is a look at the newest event: the workflow must not miss it afterwards.
      const shown = isManual ? events.slice(-1) : events;
      if (!isManual) kept["after"] = next;
      if (shown.length === 0) return null;
      return [shown.map((json) => ({ json: service.isVerified ? json : { ...json, warning: notVerified } }))];
    } catch (error) {
      const message = error instanceof XposeError ? error.message : "xpose: the trigger failed";
      throw new NodeOperationError(this.getNode(), message);
    }
  }
}

/** All events after one, in their order, page by page. */
async function allAfter(
  service: Service,
  after: string,
  type: string,
): Promise<{ events: IDataObject[]; next: string }> {
  const events: IDataObject[] = [];
  let next = after;
  for (;;) {
    const page = await service.events(next, type, pageSize);
    events.push(...page.events);
    const isLast = page.events.length < pageSize || page.next === next;
    next = page.next;
    if (isLast) return { events, next };
  }
}
