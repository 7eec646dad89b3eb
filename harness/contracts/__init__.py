"""Run contracts: model, historical forms, policy, approvals, ask grammar. No I/O."""
