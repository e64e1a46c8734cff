"""Who may use the gateway: keys, what each may do, and the door that asks for one."""
