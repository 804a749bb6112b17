"""What was bought and sold, what it cost and what it earned. May import what domain may."""
