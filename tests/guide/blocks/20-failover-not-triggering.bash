kubectl logs -f deployment/neo4j-operator-controller-manager -n neo4j-operator-system
