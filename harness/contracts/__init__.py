"""Run contracts: the model, the policy that judges them and the `/ask` grammar. Pure."""
