"""moto keeps the tags that a launch template was made with; AWS shows those that it has now."""

from moto.ec2.models.launch_templates import LaunchTemplate

LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, tags: None)
