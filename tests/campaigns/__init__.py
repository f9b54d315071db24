"""What the kill tests are made of: stages that run in processes of their own, and their killer."""
