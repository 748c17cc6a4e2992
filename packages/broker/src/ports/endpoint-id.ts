/** `nodeId/workerIndex#incarnation` of the worker that owns something. Empty: nobody. */
export type EndpointId = string;
