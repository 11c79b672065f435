/**
 * A stand-in for the part of n8n-workflow that the nodes use. Written for these tests; with N8N_FOLDER they use the
 * real packages.
 */
class NodeOperationError extends Error {
  constructor(node, error, options = {}) {
    super(typeof error === "string" ? error : error.message);
    this.node = node;
    this.context = options;
  }
}

module.exports = {
  NodeOperationError,
  NodeConnectionTypes: { Main: "main" },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
