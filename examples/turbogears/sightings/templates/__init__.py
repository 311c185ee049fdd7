"""The templates: TurboGears finds them as a package."""
