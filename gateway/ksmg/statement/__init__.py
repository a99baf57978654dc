"""The data-protection statement of this appliance: what it says, in which languages and forms, and its signature."""
