export { Cluster, type ClusterEvent, type ClusterOptions } from './cluster.ts';
export { type ClusterNode, nodeId, nodesMax } from './cluster-node.ts';
export { PortOccupiedError, portsNeeded } from './ports.ts';
export { Program, type ProgramState } from './program.ts';
export { findProgram } from './program-files.ts';
