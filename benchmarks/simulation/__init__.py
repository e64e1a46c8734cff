"""A fleet that is simulated: users, gateways and replicas, many more than there are machines for.

Time alone is made up. Who is let in (`gateway.admission`), which replica is asked (`gateway.choice`, by
`gateway.load` and `gateway.breaker`), who rides in a call of the UNet (`triptych.engine.choice`) and how
large that call is (`triptych.engine.unet`) are decided by the code that runs in production, on the
simulation's clock.
"""
