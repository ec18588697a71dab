# What is asked for: each object that the estate takes, with its types, its defaults, and the rules that
# hold between objects. It makes nothing.
terraform {
  required_version = ">= 1.11"
}
