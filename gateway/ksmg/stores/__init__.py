"""What the gateway keeps, each store in the place and under the cap that the data policy gives it."""
