"""How reactions, effects, timers and calendar jobs are run, whatever they do."""
