"""How events flow: Faust apps, the projection runner, reactions and the replay engine."""
