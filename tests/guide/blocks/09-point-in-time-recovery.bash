# Create restore point
kubectl create -f - <<EOF
apiVersion: neo4j.neo4j.com/v1alpha1
kind: Neo4jRestore
metadata:
  name: disaster-recovery-restore
  namespace: neo4j-production
spec:
  clusterRef: secondary-cluster
  source:
    type: transaction-logs
    location:
      type: s3
      bucket: neo4j-dr-logs
      path: /transaction-logs
  pointInTime: "2025-01-15T10:30:00Z"
  options:
    validateConsistency: true
    skipIndexes: false
EOF
