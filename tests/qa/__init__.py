"""The tests tested: a spoiled appliance must fail them."""
