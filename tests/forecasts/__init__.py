"""How good the forecast of a pilot is: many draws of several workloads, by the product's own sample and meter."""
