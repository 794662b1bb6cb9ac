"""What people see who come by a link: plain pages without scripts, in Russian and English."""
