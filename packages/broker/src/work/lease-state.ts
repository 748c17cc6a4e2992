/** Knowledge of this worker whether others hold it for alive. While it does not know, durable sessions are refused. */
export class LeaseState {
  isHeld = true;
}
